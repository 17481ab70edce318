"""Near-duplicate texts, found by the overlap of their runs of five characters (shingles)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from stage2._core import near_duplicates, shingles

__all__ = ["Shingles", "groups", "jaccard", "near_duplicates", "shingles"]

Shingles = npt.NDArray[np.uint64]


def jaccard(left: Shingles, right: Shingles) -> float:
    """Return the Jaccard index: common shingles divided by the shingles of either text.

    Args:
        left: uint64 (s,), distinct, as `shingles` returns them.
        right: uint64 (t,), likewise.
    """
    common = len(np.intersect1d(left, right, assume_unique=True))
    return common / max(1, len(left) + len(right) - common)


def groups(size: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Find the groups of indices that pairs connect.

    Args:
        size: n, the number of indices.
        pairs: pairs of indices below n.

    Returns:
        For each index the smallest index in its group. An index without pairs is its own group.
    """
    parent = list(range(size))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = index = parent[parent[index]]
        return index

    for left, right in pairs:
        low, high = sorted((root(left), root(right)))
        parent[high] = low
    return [root(index) for index in range(size)]
