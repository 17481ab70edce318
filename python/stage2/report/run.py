"""The contents of a run folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stage2.utils import files

Record = dict[str, Any]


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
    """

    folder: Path
    record: Record
    mining: Record
    log: list[Record]
    comparison: Record
    check: Record = field(default_factory=dict)

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
    log = folder / files.TRAINING_LOG
    return Run(
        folder=folder,
        record=_json(folder / files.RUN),
        mining=_json(folder / files.MINING_SUMMARY),
        log=files.read_jsonl(log) if log.is_file() else [],
        comparison=_json(folder / files.COMPARISON),
        check=_json(folder / files.CHECK_JSON),
    )


def _json(path: Path) -> Record:
    return dict(files.read_json(path)) if path.is_file() else {}
