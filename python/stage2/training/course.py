"""The course of a training that the defaults take for a model and for so many questions.

Two passes over a hundred questions in batches of 64 update the weights four times. What more passes
give on questions held out is in docs/log.md.
"""

from __future__ import annotations

import logging
import math
from dataclasses import replace

from torch import nn

from stage2.config import Settings
from stage2.encoding.encoder import Encoder
from stage2.presets import RUN_DEFAULTS, SMALL
from stage2.training.schedule import updates_an_epoch

# With few questions there are as many passes as make so many updates, but no more than in `SMALL`.
UPDATES = 20

# The learning rate of the defaults was chosen with a model so wide.
WIDTH = 384

logger = logging.getLogger(__name__)


def for_few_questions(settings: Settings, questions: int) -> Settings:
    """Return the settings of a training on so many questions, and log them if they changed.

    There are more epochs where the questions are few, and no part of the recipe is stated.

    Args:
        settings: the settings of the call.
        questions: the number of questions on the training side.
    """
    epochs = min(SMALL["epochs"], math.ceil(UPDATES / updates_an_epoch(questions, settings)))
    if epochs <= settings.epochs or settings.stated & (RUN_DEFAULTS.keys() | SMALL.keys()):
        return settings
    logger.info(
        "%d questions to train on are few: %d epochs are made in place of %d. --epochs states "
        "another number", questions, epochs, settings.epochs,
    )  # fmt: skip
    return replace(settings, epochs=epochs)


def width_of(model: Encoder) -> int:
    """Return the width of a model's hidden states, or 0 for a table of vectors without layers."""
    layers = any(isinstance(one, nn.Linear) for one in model.backbone.modules())
    return int(model.backbone.config.hidden_size) if layers else 0


def for_width(settings: Settings, width: int) -> Settings:
    """Return the settings of a training of an encoder so wide, and log them if they changed.

    The learning rate of the defaults falls as the width grows, unless it is stated: with Adam a
    wider layer moves its output as far with a rate that is smaller by the same factor (Yang et al.,
    "Tensor Programs V: Tuning Large Neural Networks via Zero-Shot Hyperparameter Transfer", 2022).

    Args:
        settings: the settings of the call.
        width: the number of values in the encoder's hidden states.
    """
    if width <= WIDTH or "learning_rate" in settings.stated:
        return settings
    rate = settings.learning_rate * WIDTH / width
    logger.info(
        "the encoder is %d wide, and the learning rate of the defaults is for %d: %.3g is taken "
        "in place of %g. --learning-rate states another", width, WIDTH, rate,
        settings.learning_rate,
    )  # fmt: skip
    return replace(settings, learning_rate=rate)
