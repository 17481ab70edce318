"""Exact search, and the selection of hard negatives from its results."""

from collections.abc import Mapping, Sequence
from typing import Any

from stage2._core._types import Ints, Scores

def topk(
    queries: Scores, corpus: Scores, k: int, distance: str | None = None
) -> tuple[Ints, Scores]:
    """Find the k rows of the corpus with the largest dot products, by exact search.

    The products of a score are added in float64, and the sum is rounded to float32 once. Product i
    is added to sum i mod 8, and the eight sums are added as a balanced tree. Of equal scores the
    lower index comes first. The result does not depend on the machine or the number of threads.

    With a distance, in place of the products are the squares of differences (`euclidean`) or
    their absolute values (`manhattan`). The score is minus the root of the sum, or minus the sum.

    Args:
        queries: float32 (Q, d), finite.
        corpus: float32 (N, d), finite, vectors of any length; N is below 2**32.
        k: from 1 to N.
        distance: `euclidean` or `manhattan`; None means dot products.

    Returns:
        Indices, int64 (Q, k), and scores, float32 (Q, k), the best first.

    Raises:
        ValueError: a number is not finite, and the message names its row; the sizes do not fit; or
            the distance is unknown.
    """

def similarities(
    queries: Scores, corpus: Scores, rows: Ints, offsets: Ints, distance: str | None = None
) -> Scores:
    """Score given rows of the corpus for each query. Scores are those of `topk`.

    Args:
        queries: float32 (Q, d), finite.
        corpus: float32 (N, d), finite.
        rows: int64 (m,), the rows, query after query.
        offsets: int64 (Q + 1,), where the rows of each query start.
        distance: as in `topk`.

    Returns:
        float32 (m,).
    """

def cross_similarities(queries: Scores, corpus: Scores, distance: str | None = None) -> Scores:
    """Score all rows of the corpus for each query. Scores are those of `topk`.

    Args:
        queries: float32 (Q, d), finite.
        corpus: float32 (N, d), finite.
        distance: as in `topk`.

    Returns:
        float32 (Q, N).
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
        found: the nearest rows, int64 (n, k), the best first, and their scores, float32 (n, k).
        positives: rows, int64 (p,), their scores, float32 (p,), and offsets, int64 (n + 1,).
        groups: int64 (N,), equal for rows with the same text; None means that all texts differ.
        keys: n ids of the questions, for the draw.
        rules: `negatives`, `range_min`, `range_max`, `absolute_margin`, `relative_margin`,
            `max_score`, `min_score` and `seed`, as in `stage2.Rules`. A rule that is None does not
            apply; without a seed nothing is drawn, and the best rows are taken.

    Returns:
        Rows, int64 (m,), scores, float32 (m,), and offsets, int64 (n + 1,).
    """
