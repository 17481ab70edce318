"""The learning rate of every update: a function of its number alone, so nothing to save."""

from __future__ import annotations

import math

from stage2.config import TrainingConfig


def learning_rate(update: int, updates: int, settings: TrainingConfig) -> float:
    """Learning rate of an update.

    Over the first `--warmup` share of the updates it rises in equal steps to `--learning-rate`;
    the first update is no wasted one, at 0. Then it stays, or falls to 0, which the update after
    the last would have: along a line, or along half a cosine (Loshchilov and Hutter 2017, "SGDR",
    equation 5, without restarts).

    Args:
        update: its number, from 0.
        updates: all of the training.
        settings: learning_rate, warmup, schedule.
    """
    warmup = math.ceil(settings.warmup * updates)
    if update < warmup:
        return settings.learning_rate * (update + 1) / warmup
    done = (update - warmup) / max(1, updates - warmup)
    if settings.schedule == "linear":
        return settings.learning_rate * (1 - done)
    if settings.schedule == "cosine":
        return settings.learning_rate * (1 + math.cos(math.pi * done)) / 2
    return settings.learning_rate
