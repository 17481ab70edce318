"""Check whether training can teach the model anything, and whether it did.

A loss compares the ground truths of a question with negatives. Without negatives the loss is 0 or
its gradient has no use, and yet such a training looks like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from stage2._core import text_key
from stage2.config import TrainingConfig
from stage2.encoding.ranking_lists import RankingLists
from stage2.training.log import EpochLog
from stage2.utils.arrays import Ints
from stage2.utils.errors import BadInputError
from stage2.variants import LOSSES


def check_learnable(settings: TrainingConfig) -> None:
    """Refuse settings under which no question has a negative.

    Raises:
        BadInputError: the loss is `in-batch`, and each step has only one question.
    """
    if LOSSES[settings.loss].negatives == "batch" and settings.batch_size == 1:
        raise BadInputError(
            f"--loss {settings.loss} with --batch-size 1: a question's negatives are the "
            "ground truths of the other questions of its step, and there are none (--accumulate "
            "adds steps, not negatives). Expected --batch-size 2 or more, or a loss with listed "
            "negatives, such as --loss infonce or margin"
        )


def check_texts_to_learn(settings: TrainingConfig, ground_truths: Iterable[Sequence[str]]) -> None:
    """Refuse questions that all have the same ground truths, if these serve as negatives.

    Args:
        settings: the settings of the training.
        ground_truths: the texts of the ground truths of each training question.

    Raises:
        BadInputError: the loss is `in-batch`, and all questions have the same ground truths.
    """
    if LOSSES[settings.loss].negatives != "batch":
        return
    answers = list(ground_truths)
    said = [{text_key(text) for text in texts} for texts in answers]
    if said and all(texts == set.union(*said) for texts in said):
        raise BadInputError(
            f"--loss {settings.loss}: the {len(answers)} questions to train on are all "
            "answered by the same text, so that none has a negative. Expected questions on "
            "different chunks, or a loss with listed negatives, such as --loss infonce or margin"
        )


def without_negative(lists: RankingLists, steps: Iterable[Ints], settings: TrainingConfig) -> int:
    """Count the questions without a negative.

    Args:
        lists: the lists that are trained on.
        steps: for each step the rows of its questions, int64.
        settings: the settings `loss` and `pairs` are used.
    """
    loss = LOSSES[settings.loss]
    if loss.negatives != "list":
        return sum(_alone(lists, rows) for rows in steps)
    others = lists.lengths - lists.num_relevant
    if "pairs" in loss.settings and settings.pairs == "all":
        # This loss also learns the order of several ground truths.
        others = lists.lengths - 1
    return int((others == 0).sum())


def _alone(lists: RankingLists, rows: Ints) -> int:
    """Count the questions of a step to which all texts of the step are relevant."""
    parts = [slice(lists.offsets[row], lists.offsets[row + 1]) for row in rows.tolist()]
    # The loss also treats two texts as one if they have the same key.
    texts = lists.tokens.same_text[lists.candidates]
    among = np.unique(np.concatenate([texts[part] for part in parts]))
    return sum(
        len(np.unique(texts[part.start : part.start + lists.num_relevant[row]])) == len(among)
        for row, part in zip(rows.tolist(), parts, strict=True)
    )


@dataclass(frozen=True)
class Diagnosis:
    """The signs of a training that taught the model little or nothing.

    Attributes:
        same_weights: whether training changed no weight.
        zero_loss: whether the loss was 0 at every step.
        without_negative: the largest number of questions without a negative in an epoch.
        questions: the number of questions in an epoch.
    """

    same_weights: bool = False
    zero_loss: bool = False
    without_negative: int = 0
    questions: int = 0


def diagnose(
    log: Sequence[EpochLog],
    before: Mapping[str, Tensor],
    after: Mapping[str, Tensor] | None,
) -> Diagnosis:
    """Look for the signs of a training that taught the model little or nothing.

    Args:
        log: the log of the training.
        before: the weights before the training, on the CPU.
        after: the weights after the training, on the CPU; None if not known.
    """
    epochs = [entry for entry in log if entry.epoch]
    return Diagnosis(
        same_weights=after is not None
        and all(tensor.equal(after[name]) for name, tensor in before.items()),
        zero_loss=bool(epochs) and all(entry.loss == 0 for entry in epochs),
        without_negative=max((entry.without_negative for entry in epochs), default=0),
        questions=epochs[0].train_examples if epochs else 0,
    )
