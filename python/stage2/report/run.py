"""What a run folder holds, as far as its steps have run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stage2.utils import files

Record = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """The files of a run folder; empty where a step has not run."""

    folder: Path
    record: Record
    mining: Record
    log: list[Record]
    comparison: Record

    @property
    def data(self) -> Record:
        """Counts and files of the input."""
        return dict(self.record.get("data") or {})

    @property
    def shipped(self) -> Record:
        """Which candidate was shipped, and why; empty where there is none yet."""
        return dict(self.record.get("shipped") or {})

    @property
    def shipped_epoch(self) -> int | None:
        """Epoch of the shipped model, 0 for stage 1; None of an interpolation, or before any."""
        return None if self.shipped.get("kind") == "interpolation" else self.shipped.get("epoch")

    def made_from(self, stage: str) -> Record:
        """The settings and inputs that a stage depended on; empty where it has not run."""
        done = self.record.get("stages", {}).get(stage, {})
        return dict(done.get("made_from", {}))

    @property
    def epochs(self) -> list[Record]:
        """Rows of the log that have a loss: epoch 0 is the model as it came."""
        return [row for row in self.log if row.get("loss") is not None]


def read_run(folder: Path) -> Run:
    """Read what is there."""
    log = folder / files.TRAINING_LOG
    return Run(
        folder=folder,
        record=_json(folder / files.RUN),
        mining=_json(folder / files.MINING_SUMMARY),
        log=files.read_jsonl(log) if log.is_file() else [],
        comparison=_json(folder / files.COMPARISON),
    )


def _json(path: Path) -> Record:
    return dict(files.read_json(path)) if path.is_file() else {}
