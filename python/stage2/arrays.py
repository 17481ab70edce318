"""The core's functions of arrays, for whatever numpy can make an array of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stage2 import _core

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def topk(queries: npt.ArrayLike, corpus: npt.ArrayLike, k: int) -> tuple[Ints, Floats]:
    """Find, exactly, the k rows of a corpus with the largest inner products.

    A score is the sum of the products in float64, in the order of the dimensions, rounded once to
    float32: one answer on any machine and any number of threads.

    Args:
        queries: float32 (Q, d).
        corpus: float32 (N, d).
        k: from 0 to N.

    Returns:
        Rows, int64 (Q, k), best first, equal scores by rising row; and scores, float32 (Q, k).

    Raises:
        ValueError: widths that differ, k above N, or NaN or infinity; the message names the row.
    """
    return _core.topk(_floats(queries), _floats(corpus), k)


def rank(
    scores: npt.ArrayLike, offsets: npt.ArrayLike, num_relevant: int | npt.ArrayLike = 1
) -> _core.Ranking:
    """Rank lists of scored candidates, the relevant ones first in each.

    A tie is not a win: ranks and metrics are expectations over the orders of equal scores.

    Args:
        scores: float32 (m,), n lists end to end.
        offsets: int64 (n + 1,), where each list starts.
        num_relevant: how many candidates at the head of each list are relevant: one number for
            all, or int64 (n,).

    Raises:
        ValueError: offsets that do not fit, no relevant candidate, or NaN or infinity.
    """
    if not isinstance(num_relevant, int):
        num_relevant = np.ascontiguousarray(num_relevant, np.int64)
    return _core.rank(_floats(scores), np.ascontiguousarray(offsets, np.int64), num_relevant)


def _floats(values: npt.ArrayLike) -> Floats:
    return np.ascontiguousarray(values, np.float32)
