"""The contents of a run folder."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stage2.utils import files

Record = dict[str, Any]


@dataclass(frozen=True)
class Round:
    """A round of the training in which negatives were mined again with the model so far.

    Attributes:
        number: its number, from 2.
        after: the number of epochs before it.
        new: the number of its negatives that the round before did not have.
        negatives: the number of all its negatives; None if the folder lacks their file.
    """

    number: int
    after: int
    new: int
    negatives: int | None


@dataclass(frozen=True)
class Run:
    """The contents of a run folder. The part of a step that has not run is empty.

    Attributes:
        folder: the run folder.
        record: the content of `run.json`.
        mining: the content of `mining_summary.json`.
        log: the rows of `training_log.jsonl`.
        comparison: the content of `comparison.json`.
        check: the content of `check.json`.
        rounds: the rounds of the training but the first, which has the negatives before training.
    """

    folder: Path
    record: Record
    mining: Record
    log: list[Record]
    comparison: Record
    check: Record = field(default_factory=dict)
    rounds: list[Round] = field(default_factory=list)

    @property
    def data(self) -> Record:
        """The counts and the files of the input."""
        return dict(self.record.get("data") or {})

    @property
    def shipped(self) -> Record:
        """Which candidate was shipped and why; empty if there is none yet."""
        return dict(self.record.get("shipped") or {})

    @property
    def shipped_epoch(self) -> float | None:
        """The epoch of the shipped model, 0 for stage 1; None for an interpolation or no model."""
        return None if self.shipped.get("kind") == "interpolation" else self.shipped.get("epoch")

    def made_from(self, stage: str) -> Record:
        """Return the settings and inputs that a stage was made from; {} if it has not run."""
        done = self.record.get("stages", {}).get(stage, {})
        return dict(done.get("made_from", {}))

    @property
    def epochs(self) -> list[Record]:
        """The rows of the log that have a loss. Epoch 0, the stage-1 model, has none."""
        return [row for row in self.log if row.get("loss") is not None]


def read_run(folder: Path) -> Run:
    """Read the files of a run folder that exist.

    Raises:
        BadInputError: a file is damaged.
    """
    path = folder / files.TRAINING_LOG
    log = files.read_jsonl(path) if path.is_file() else []
    return Run(
        folder=folder,
        record=_json(folder / files.RUN),
        mining=_json(folder / files.MINING_SUMMARY),
        log=log,
        comparison=_json(folder / files.COMPARISON),
        check=_json(folder / files.CHECK_JSON),
        rounds=list(_rounds(folder, log)),
    )


def _rounds(folder: Path, log: list[Record]) -> Iterator[Round]:
    """Yield the rounds that a log has rows of. Logs of earlier versions name none."""
    last = 1
    for row in log:
        number = row.get("round", 1)
        if number == last:
            continue
        last, path = number, folder / files.ROUNDS / files.round_file(number)
        mined = files.read_jsonl(path) if path.is_file() else None
        yield Round(
            number,
            # A row is of the end of an epoch, or of a step in one.
            math.ceil(row["epoch"]) - 1,
            row["new_negatives"],
            None if mined is None else sum(len(one["negative_chunk_ids"]) for one in mined),
        )


def _json(path: Path) -> Record:
    return dict(files.read_json(path)) if path.is_file() else {}
