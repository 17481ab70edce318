"""The scores of a teacher in the unit of the model that learns them.

A cross-encoder's logits, a cosine and a score in a file have units of their own. Ranks depend on
differences within a list alone, so a factor is enough: by default the one that gives the teacher's
scores the spread within lists that the scores of the model have before training, or a multiple of
it that the loss names. So the teacher says how far a candidate is from another as a share of the
whole, in the unit of the model.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np

from stage2.config import TrainingConfig
from stage2.encoding.encode import encode_tokens
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.ranking import score
from stage2.utils.arrays import Floats
from stage2.utils.errors import BadInputError
from stage2.variants import LOSSES, Loss

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Teacher:
    """The sources that a loss learns from; None where the loss needs none.

    Attributes:
        scores: float32 (m,), the score of every candidate.
        vectors: float32 (t, D), the vector of every text of the lists. Their inner products are the
            scores.
    """

    scores: Floats | None = None
    vectors: Floats | None = None


# This is for a loss without a teacher.
NOBODY = Teacher()


def teacher_of(model: Encoder, lists: RankingLists, settings: TrainingConfig) -> Teacher:
    """Return what the loss learns from, in the unit of the model's similarities.

    Args:
        model: the model, with the weights from before the training.
        lists: the lists that are trained on, with what the teacher says of them if it is another.
        settings: the settings `loss`, `teacher`, `teacher_scale` and `precision` are used.

    Raises:
        BadInputError: the teacher has no score of a candidate, or no vectors for a loss that needs
            them; or no scale follows from the scores.
    """
    kind = LOSSES[settings.loss]
    if kind.teacher is None:
        return NOBODY
    if settings.teacher is None and kind.teacher == "scores":
        return Teacher(_own_scores(model, lists, settings))
    if lists.taught is None or (kind.teacher == "vectors" and lists.taught_vectors is None):
        raise BadInputError(f"--loss {settings.loss}: {lacking(kind, settings)}")
    if missing := int(np.isnan(lists.taught).sum()):
        raise BadInputError(f"the teacher has no score of {missing} candidates")
    scale = settings.teacher_scale
    if scale is None:
        scale = kind.spread * spread_ratio(lists, lists.taught, _own_scores(model, lists, settings))
        logger.info("the teacher's scores are multiplied by %.4g, which gives them %g times the "
                    "spread within lists of the model's own (--teacher-scale)",
                    scale, kind.spread)  # fmt: skip
    if kind.teacher == "scores":
        return Teacher(lists.taught * np.float32(scale))
    vectors = lists.taught_vectors
    return Teacher(vectors=None if vectors is None else vectors * np.float32(math.sqrt(scale)))


def lacking(kind: Loss, settings: TrainingConfig) -> str:
    """Say what of a teacher a loss lacks, and what to give."""
    if kind.teacher == "vectors":
        return (
            "needs the vectors of a teacher, any two of which can be compared; expected --teacher "
            "DIR|ID of another embedding model"
        )
    return f"nobody has asked --teacher {settings.teacher} for its scores"


def spread_ratio(lists: RankingLists, teacher: Floats, model: Floats) -> float:
    """Return the factor that gives the teacher's scores the spread of the model's.

    The spread is the root of the mean over lists of the variance of a list's scores.

    Args:
        lists: n lists with m candidates.
        teacher: float32 (m,), the teacher's scores.
        model: float32 (m,), the scores of the model before training.

    Raises:
        BadInputError: within every list the scores of one of them are equal.
    """
    told = {"teacher": spread(lists, teacher), "model before training": spread(lists, model)}
    for who, value in told.items():
        if not value > 0:
            raise BadInputError(
                f"the {who} gives all candidates of each question one score, so that there is no "
                "order to learn or no scale to learn it in; expected scores that differ within a "
                f"list of candidates{'' if who == 'teacher' else ', or --teacher-scale X'}"
            )
    taught, own = told.values()
    return own / taught


def spread(lists: RankingLists, scores: Floats) -> float:
    """Return the root of the mean over lists of the variance of their scores, summed in float64."""
    counts = lists.lengths
    values = scores.astype(np.float64)
    row = np.repeat(np.arange(len(lists)), counts)
    means = np.bincount(row, values, len(lists)) / np.maximum(counts, 1)
    variances = np.bincount(row, (values - means[row]) ** 2, len(lists)) / np.maximum(counts, 1)
    return math.sqrt(variances[counts > 0].mean()) if (counts > 0).any() else 0.0


def _own_scores(model: Encoder, lists: RankingLists, settings: TrainingConfig) -> Floats:
    return score(lists, encode_tokens(model, lists.tokens, precision=settings.precision)).scores
