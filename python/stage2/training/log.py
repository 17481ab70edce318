"""The log of a training, and the choice among its candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

DEV_METRIC = "mrr"


@dataclass(frozen=True)
class EpochLog:
    """A row of `training_log.jsonl`; epoch 0 is the model as it came, which has no file.

    Attributes:
        without_negative: questions of the epoch that had nothing worse to be compared with.
        weights_sha256: of the epoch's file.
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
    """The candidate with the highest dev metric; the earliest of equals."""
    return max(log, key=lambda entry: entry.dev[DEV_METRIC])


def out_of_patience(log: Sequence[EpochLog], patience: int | None) -> bool:
    """Whether the last `patience` epochs are all no better than one before them."""
    return patience is not None and log[-1].epoch - best_of(log).epoch >= patience
