"""The fusion of the scores of two models.

The sum is (1 − α)·s₁ + α·s₂. Reciprocal rank fusion is (1 − α)/(60 + r₁) + α/(60 + r₂) (Cormack et
al., SIGIR 2009).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from stage2.encoding.similarity import DECIMALS
from stage2.evaluation.ranking import Scored
from stage2.utils.arrays import Floats

# The authors of reciprocal rank fusion chose this constant.
RRF = 60


def fused(first: Scored, second: Scored, alpha: float, method: str) -> Scored:
    """Rank lists by the fused scores of two models.

    Args:
        first: n lists with the scores of the first model.
        second: the same lists with the scores of the second model.
        alpha: the weight of the second model, from 0 to 1.
        method: a name in `FUSIONS`.
    """
    scores = FUSIONS[method](first, second, alpha)
    return Scored.of(
        scores.astype(np.float32), first.offsets, first.num_relevant, first.both, first.grades
    )


def _sum(first: Scored, second: Scored, alpha: float) -> npt.NDArray[np.float64]:
    scores = (1 - alpha) * first.scores.astype(np.float64) + alpha * second.scores
    return np.round(scores, DECIMALS).astype(np.float64)


def _reciprocal_ranks(first: Scored, second: Scored, alpha: float) -> npt.NDArray[np.float64]:
    return (1 - alpha) / (RRF + _ranks(first)) + alpha / (RRF + _ranks(second))


def _ranks(scored: Scored) -> npt.NDArray[np.float64]:
    """Rank every candidate in its list, from 1. Equal scores have their mean rank."""
    ranks = np.empty(len(scored.scores))
    for start, stop in zip(scored.offsets[:-1], scored.offsets[1:], strict=True):
        part: Floats = -scored.scores[start:stop]
        _, place, counts = np.unique(part, return_inverse=True, return_counts=True)
        last = np.cumsum(counts)
        ranks[start:stop] = (last - (counts - 1) / 2)[place]
    return ranks


# Each method returns the score of each candidate, float64 (m,).
FUSIONS: Mapping[str, Callable[[Scored, Scored, float], npt.NDArray[np.float64]]] = {
    "sum": _sum,
    "reciprocal-rank": _reciprocal_ranks,
}
