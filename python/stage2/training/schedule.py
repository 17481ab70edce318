"""The learning rate of every update. It depends only on the number of the update."""

from __future__ import annotations

import math

from stage2.config import TrainingConfig


def updates_an_epoch(questions: int, settings: TrainingConfig) -> int:
    """Return the number of updates of the weights in an epoch of so many questions."""
    return math.ceil(questions / (settings.batch_size * settings.accumulate))


def learning_rate(update: int, updates: int, settings: TrainingConfig) -> float:
    """Return the learning rate of an update.

    During the warmup, a share of the updates, it rises in equal steps to `learning_rate`. The first
    update already has one step, so it is not wasted. After that the rate is constant, or it falls
    towards 0 linearly or along half a cosine (Loshchilov and Hutter 2017, "SGDR", equation 5,
    without restarts). It would be 0 at the update after the last.

    Args:
        update: the number of the update, from 0.
        updates: the number of all updates.
        settings: the settings `learning_rate`, `warmup` and `schedule` are used.
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
