"""The untouched model as a guide: which other ground truths of a batch may be answers too.

The ground truths of a batch's other questions are its negatives, and some of them answer the
question as well. A text that the untouched model scores above the question's own ground truth, less
a margin, is no negative (Solatorio 2024, "GISTEmbed: Guided in-sample selection of training
negatives for text embedding fine-tuning").
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stage2.config import TrainingConfig
from stage2.encoding.encode import encode_tokens
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import RankingLists
from stage2.encoding.similarity import cross_similarity
from stage2.encoding.vectors import Vectors
from stage2.utils.arrays import Ints

Guide = Vectors[npt.NDArray[Any]]


def guide_of(model: Encoder, lists: RankingLists, settings: TrainingConfig) -> Guide | None:
    """The vectors of all texts of `lists` before training, if the loss asks for a guide."""
    if settings.guide_margin is None:
        return None
    return encode_tokens(model, lists.tokens, precision=settings.precision)


def not_negatives(
    guide: Guide, questions: Ints, texts: Ints, relevance: npt.NDArray[Any], margin: float
) -> npt.NDArray[np.bool_]:
    """Mark the texts that are no negatives of a question, by the untouched model.

    Args:
        guide: the vectors of all texts before training.
        questions: int64 (B,), rows of `guide`.
        texts: int64 (n,), rows of `guide`.
        relevance: float (B, n), above 0 for the ground truths of a question; each has one.
        margin: how far below the lowest ground truth a negative must score.

    Returns:
        bool (B, n), False for ground truths.
    """
    scores = cross_similarity(guide.at(questions).in_float64(), guide.at(texts).in_float64())
    own = np.where(relevance > 0, scores, np.inf).min(axis=1, keepdims=True)
    found: npt.NDArray[np.bool_] = (scores > own - margin) & (relevance <= 0)
    return found
