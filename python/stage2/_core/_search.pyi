"""Exact search, and the hard negatives among what it finds."""

from collections.abc import Mapping, Sequence
from typing import Any

from stage2._core._types import Ints, Scores

def topk(queries: Scores, corpus: Scores, k: int) -> tuple[Ints, Scores]:
    """Find the k rows of the corpus with the largest dot products, exactly.

    A score is rounded to float32 once: the products are summed in float64, product i in running
    sum i mod 8, and the eight sums added up as a balanced tree. Ties go to the lower index. The
    answer does not depend on the machine or the number of threads.

    Args:
        queries: float32 (Q, d), finite.
        corpus: float32 (N, d), finite; vectors of any length, N below 2**32.
        k: from 1 to N.

    Returns:
        Indices, int64 (Q, k), and scores, float32 (Q, k), the best first.

    Raises:
        ValueError: A number is not finite (its row is named), or the sizes do not fit.
    """

def similarities(queries: Scores, corpus: Scores, rows: Ints, offsets: Ints) -> Scores:
    """Give the scores, as `topk` defines them, of given rows of the corpus for each query.

    Args:
        queries: float32 (Q, d), finite.
        corpus: float32 (N, d), finite.
        rows: int64 (m,), one query's rows after another's.
        offsets: int64 (Q + 1,).

    Returns:
        float32 (m,).
    """

def select_negatives(
    found: tuple[Ints, Scores],
    positives: tuple[Ints, Scores, Ints],
    groups: Ints | None,
    keys: Sequence[str],
    rules: Mapping[str, Any],
) -> tuple[Ints, Scores, Ints]:
    """Select each question's hard negatives from its nearest rows.

    Args:
        found: rows, int64 (n, k), best first, and their scores, float32 (n, k).
        positives: rows, int64 (p,), their scores, float32 (p,), and offsets, int64 (n + 1,).
        groups: int64 (N,), equal for rows of equal text; None: all differ.
        keys: n ids, for the draw.
        rules: `negatives`, `range_min`, `range_max`, `absolute_margin`, `relative_margin`,
            `max_score`, `min_score`, `seed`, as in `stage2.Rules`; None where there is none, and
            as a seed for no draw.

    Returns:
        Rows, int64 (m,), scores, float32 (m,), and offsets, int64 (n + 1,).
    """
