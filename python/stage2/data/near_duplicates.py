"""Texts that are the same but for a little: the overlap of their character 5-grams."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from stage2._core import near_duplicates, shingles

__all__ = ["Shingles", "groups", "jaccard", "near_duplicates", "shingles"]

Shingles = npt.NDArray[np.uint64]


def jaccard(left: Shingles, right: Shingles) -> float:
    """The share of shingles that two texts have in common, of all that either has."""
    common = len(np.intersect1d(left, right, assume_unique=True))
    return common / max(1, len(left) + len(right) - common)


def groups(size: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Join what pairs connect.

    Args:
        size: n.
        pairs: of indices below n.

    Returns:
        For each index the smallest that it is connected to; an index is connected to itself.
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
