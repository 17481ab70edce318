"""The scalars of a training in TensorBoard."""

from __future__ import annotations

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from stage2.config import Settings
from stage2.training.trackers import tracking
from stage2.utils import files


def test_going_on_takes_back_only_what_is_noted_again(tmp_path: Path) -> None:
    settings = Settings(report_to="tensorboard")
    for done, steps in ((0, (1, 2, 3, 4)), (3, (4, 5))):
        with tracking(settings, tmp_path, done) as note:
            for step in steps:
                note("loss", step / 10 + done, step)
    seen = EventAccumulator(str(tmp_path / files.TENSORBOARD)).Reload().Scalars("loss")
    assert [(event.step, round(event.value, 4)) for event in seen] == [
        (1, 0.1), (2, 0.2), (3, 0.3), (4, 3.4), (5, 3.5)
    ]  # fmt: skip
