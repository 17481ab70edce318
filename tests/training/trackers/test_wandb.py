"""The scalars of a training in Weights & Biases."""

from __future__ import annotations

from pathlib import Path

import pytest
import wandb

from stage2.config import Settings
from stage2.training.trackers import tracking


def test_scalars_are_logged_over_updates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library writes its file in a process of its own; what it is given is looked at here."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    seen, runs, log = [], [], wandb.Run.log

    def watched(run: wandb.Run, data: dict[str, float]) -> None:
        runs.append(run)
        seen.append(data)
        log(run, data)

    monkeypatch.setattr(wandb.Run, "log", watched)
    with tracking(Settings(report_to="wandb", epochs=7), tmp_path / "tuned", 2) as note:
        note("train/loss", 0.5, 3)
        note("train/loss", 0.25, 4)
    assert seen == [{"train/loss": 0.5, "update": 3}, {"train/loss": 0.25, "update": 4}]
    (run,) = set(map(id, runs))
    tracked = runs[0]
    assert id(tracked) == run
    assert (tracked.project, tracked.group) == ("stage2", "tuned")
    assert tracked.name == "tuned, from update 2"
    assert tracked.config["epochs"] == 7
    assert len(list(tmp_path.rglob("*.wandb"))) == 1
