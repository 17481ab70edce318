"""Exact search: the k rows of a corpus with the highest scores."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Matrix = Sequence[Sequence[float]]


def score(query: Sequence[float], row: Sequence[float], distance: str | None = None) -> np.float32:
    """Return the dot product, or minus a distance, rounded to float32 once.

    Term i is added to sum i mod 8. The eight sums are added as a balanced tree.
    """
    sums = [0.0] * 8
    for i, (q, r) in enumerate(zip(query, row, strict=True)):
        apart = float(q) - float(r)
        terms = {None: float(q) * float(r), "euclidean": apart * apart, "manhattan": abs(apart)}
        sums[i % 8] += terms[distance]
    a, b, c, d, e, f, g, h = sums
    total = ((a + e) + (c + g)) + ((b + f) + (d + h))
    if distance is not None:
        total = -math.sqrt(total) if distance == "euclidean" else -total
    with np.errstate(over="ignore"):
        return np.float32(total)


def topk(
    queries: Matrix, corpus: Matrix, k: int, distance: str | None = None
) -> tuple[list[list[int]], list[list[np.float32]]]:
    """Return the indices and the scores of the k best rows for each query; ties by lower index."""
    ids, best = [], []
    for query in queries:
        scores = [score(query, row, distance) for row in corpus]
        order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:k]
        ids.append(order)
        best.append([scores[i] for i in order])
    return ids, best
