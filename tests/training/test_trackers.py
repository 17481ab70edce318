"""The tracker of the setting is used if its package is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from stage2.config import TrainingConfig
from stage2.training import trackers
from stage2.utils.errors import BadInputError

TRACKED = TrainingConfig(report_to="tensorboard")


def test_a_tracker_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    trackers.check_tracker(TRACKED)
    monkeypatch.setattr(trackers, "find_spec", lambda _: None)
    trackers.check_tracker(TrainingConfig())
    with pytest.raises(BadInputError, match=r"pip install stage2\[tensorboard\]"):
        trackers.check_tracker(TRACKED)


def test_without_a_tracker_nothing_is_written(tmp_path: Path) -> None:
    with trackers.tracking(TrainingConfig(), tmp_path, 0) as note:
        note("loss", 0.5, 1)
    assert not list(tmp_path.iterdir())
    with trackers.tracking(TRACKED, tmp_path, 0) as note:
        note("loss", 0.5, 1)
    assert list(tmp_path.rglob("events.out.tfevents.*"))


def test_several_trackers_see_one_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    both = TrainingConfig(report_to="tensorboard, mlflow")
    assert both.trackers == ("tensorboard", "mlflow")
    with trackers.tracking(both, tmp_path, 0) as note:
        note("loss", 0.5, 1)
    assert list(tmp_path.rglob("events.out.tfevents.*"))
    assert list((tmp_path / "store").rglob("metrics/loss"))


@pytest.mark.parametrize("text", ["tensorbord", "wandb,wandb", "none,wandb", ""])
def test_an_unknown_tracker_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="expected tensorboard or wandb or mlflow or trackio"):
        TrainingConfig(report_to=text)
