"""The course of a training on few questions: more and smaller steps, at a higher rate.

Two passes over a hundred questions in batches of 64 update the weights four times. What more steps
give on questions held out is in docs/log.md.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stage2.config import Settings
from stage2.presets import RUN_DEFAULTS

# So many questions make five updates in each pass with batches of 64.
ENOUGH = 320
COURSE: Mapping[str, Any] = {
    "epochs": 5,
    "batch_size": 8,
    "learning_rate": 1e-4,
    "interpolation": 0.85,
}


logger = logging.getLogger(__name__)


def for_few_questions(settings: Settings, questions: int) -> Settings:
    """Return the settings of a training on so many questions, and log them if they changed.

    They change where the questions are few, and no part of the recipe is stated.

    Args:
        settings: the settings of the call.
        questions: the number of questions on the training side.
    """
    recipe = RUN_DEFAULTS.keys() | COURSE.keys()
    if questions >= ENOUGH or settings.stated & recipe:
        return settings
    logger.info(
        "%d questions to train on are few: %d epochs with batches of %d at a learning rate of %g, "
        "and %g of the way is kept. With --epochs, --batch-size, --learning-rate or "
        "--interpolation all other defaults stay as they are", questions, *COURSE.values(),
    )  # fmt: skip
    return replace(settings, **COURSE)
