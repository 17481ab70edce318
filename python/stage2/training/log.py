"""The log of a training, and the best epoch in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

DEV_METRIC = "mrr"


@dataclass(frozen=True)
class EpochLog:
    """A row of `training_log.jsonl`. Epoch 0 is the stage-1 model, which has no file.

    Attributes:
        epoch: the number of the epoch.
        loss: the mean loss of the questions; None for epoch 0.
        learning_rate: the learning rate of the last update.
        seconds: the time of the updates, without the evaluation.
        dev: the metrics on the dev questions; empty if there are none.
        train_examples: the number of questions.
        without_negative: the number of questions without a negative.
        weights_sha256: the SHA-256 of the epoch's file; None for epoch 0.
    """

    epoch: int
    loss: float | None
    learning_rate: float
    seconds: float
    dev: dict[str, Any]
    train_examples: int
    without_negative: int = 0
    weights_sha256: str | None = None


def best_of(log: Sequence[EpochLog]) -> EpochLog:
    """Return the row with the highest dev metric; of equal rows the earliest.

    Without dev questions it is the last row.
    """
    measured = [entry for entry in log if entry.dev] or log[-1:]
    return max(measured, key=lambda entry: entry.dev.get(DEV_METRIC, 0.0))


def out_of_patience(log: Sequence[EpochLog], patience: int | None) -> bool:
    """Return whether the last `patience` epochs brought nothing better; False for None."""
    return patience is not None and log[-1].epoch - best_of(log).epoch >= patience
