"""Texts that are the same but for a little: the overlap of their character 5-grams."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from stage2 import console
from stage2._core import near_duplicates as grouped_by_core
from stage2._core import shingles
from stage2.arrays import Ints

__all__ = ["Shingles", "groups", "jaccard", "near_duplicates", "normalised", "shingles"]

Shingles = npt.NDArray[np.uint64]


class _Letters(dict[int, int]):
    """A table for `str.translate`: letters, marks and digits stay, all else is a space."""

    def __missing__(self, code: int) -> int:
        self[code] = code if unicodedata.category(chr(code))[0] in "LMN" else ord(" ")
        return self[code]


_LETTERS = _Letters()


def normalised(text: str) -> str:
    """The words of a text: case, width, punctuation and white space aside."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(plain.translate(_LETTERS).split())


def jaccard(left: Shingles, right: Shingles) -> float:
    """The share of shingles that two texts have in common, of all that either has."""
    common = len(np.intersect1d(left, right, assume_unique=True))
    return common / max(1, len(left) + len(right) - common)


def near_duplicates(texts: list[str], threshold: float) -> Ints:
    """Group texts that are the same but for a little, with a bar where that takes long.

    Returns:
        int64 (n,): for each text the first that it is connected to; see `_core.near_duplicates`.
    """
    with console.bar("looking for near-duplicates") as progress:
        return grouped_by_core(texts, threshold, progress)


def groups(size: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Join what pairs connect.

    Args:
        size: n.
        pairs: of indices below n.

    Returns:
        For each index the least that it is connected to, itself where there is none.
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
