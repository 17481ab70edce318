"""The core's functions of arrays, for whatever numpy can make an array of."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from stage2 import _core

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def rank(
    scores: npt.ArrayLike,
    offsets: npt.ArrayLike,
    num_relevant: int | npt.ArrayLike | None = None,
    *,
    relevance: npt.ArrayLike | None = None,
    ties: Literal["expected", "trec_eval"] = "expected",
    tie_keys: npt.ArrayLike | None = None,
) -> _core.Ranking:
    """Rank lists of scored candidates.

    A tie is not a win: ranks and metrics are exact expectations over the orders of equal scores.
    With `ties="trec_eval"` they are instead what trec_eval and pytrec_eval compute, where of equal
    scores the document whose name sorts last comes first.

    Args:
        scores: float32 (m,), n lists end to end.
        offsets: int64 (n + 1,), where each list starts.
        num_relevant: how many candidates at the head of each list are relevant: one number for
            all, or int64 (n,). Without it and `relevance`, one.
        relevance: float64 (m,), how relevant each candidate is, for lists in any order: its gain in
            nDCG, and 0 for what is not relevant. Grades are gains as they stand, as in trec_eval;
            for the steeper gains of web search give `2.0**grades - 1`.
        ties: `expected` or `trec_eval`.
        tie_keys: int64 (m,), for `trec_eval`: places of the documents' names in ascending order of
            their bytes. Without them candidates count as named in that order.

    Raises:
        ValueError: offsets that do not fit, a list without a relevant candidate, negative
            relevance, or NaN or infinity.
    """
    if not (num_relevant is None or isinstance(num_relevant, int)):
        num_relevant = np.ascontiguousarray(num_relevant, np.int64)
    return _core.rank(
        np.ascontiguousarray(scores, np.float32),
        np.ascontiguousarray(offsets, np.int64),
        num_relevant,
        None if relevance is None else np.ascontiguousarray(relevance, np.float64),
        ties,
        None if tie_keys is None else np.ascontiguousarray(tie_keys, np.int64),
    )
