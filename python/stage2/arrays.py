"""The core's functions of arrays, for whatever numpy can make an array of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stage2 import _core

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


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
    return _core.rank(
        np.ascontiguousarray(scores, np.float32),
        np.ascontiguousarray(offsets, np.int64),
        num_relevant,
    )
