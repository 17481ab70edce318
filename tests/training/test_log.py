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
def test_patience_is_of_epochs_without_a_better_one(
    values: tuple[float, ...], patience: int | None, out: bool
) -> None:
    assert out_of_patience(log(*values), patience) is out
