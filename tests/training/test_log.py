"""The training log and the best epoch in it."""

from __future__ import annotations

import pytest

from stage2.training.log import EpochLog, best_of, out_of_patience


def log(*values: float) -> list[EpochLog]:
    return [EpochLog(epoch, None, 0.0, 0.0, {"mrr": value}, 8) for epoch, value in
            enumerate(values)]  # fmt: skip


def test_of_equals_the_earliest_is_the_best() -> None:
    assert best_of(log(0.5, 0.7, 0.6, 0.7)).epoch == 1
    assert best_of(log(0.5, 0.5)).epoch == 0


@pytest.mark.parametrize(
    ("values", "patience", "out"),
    [
        ((0.5, 0.4, 0.4), 2, True),
        ((0.5, 0.4), 2, False),
        ((0.5, 0.6, 0.6), 1, True),
        ((0.5, 0.4, 0.6), 1, False),
        ((0.5, 0.1, 0.1, 0.1), None, False),
    ],
)
def test_patience_is_of_evaluations_without_a_better_one(
    values: tuple[float, ...], patience: int | None, out: bool
) -> None:
    assert out_of_patience(log(*values), patience) is out


def test_a_step_in_an_epoch_has_a_name_and_a_file_of_its_own() -> None:
    ends, within = (EpochLog(epoch, 0.1, 0.0, 0.0, {}, 8, step=step) for epoch, step in
                    ((2, 60), (40 / 30, 40)))  # fmt: skip
    assert (ends.name, ends.file) == ("epoch 2", "epoch_2.pt")
    assert (within.name, within.file) == ("step 40 (epoch 1.33)", "step_40.pt")


def test_patience_counts_steps_and_epochs_alike() -> None:
    rows = [EpochLog(step / 3, None, 0.0, 0.0, {"mrr": 0.5}, 8, step=step) for step in range(3)]
    assert out_of_patience(rows, 2)
    assert not out_of_patience(rows[:2], 2)
