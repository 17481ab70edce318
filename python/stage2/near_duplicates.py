"""Texts that are the same but for a little: the overlap of their character 5-grams."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from stage2.arrays import Ints

# Five characters work in every script; in English they are a word with its spaces.
SHINGLE = 5

Shingles = npt.NDArray[np.uint64]

# Of a polynomial hash: any odd number with its bits well mixed, here of the golden ratio.
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_ROUNDING = 1e-9


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


def shingles(text: str) -> Shingles:
    """The distinct character 5-grams of a normalised text, as 64-bit hashes.

    Returns:
        uint64 (s,), rising; of a text below five characters one, of an empty one none.
    """
    codes = np.frombuffer(normalised(text).encode("utf-32-le"), np.uint32).astype(np.uint64)
    if not len(codes):
        return codes
    codes = np.pad(codes, (0, max(0, SHINGLE - len(codes))))
    hashed = np.zeros(len(codes) - SHINGLE + 1, np.uint64)
    for place in range(SHINGLE):
        hashed = hashed * _MULTIPLIER + codes[place : place + len(hashed)]
    return np.unique(hashed)


def jaccard(left: Shingles, right: Shingles) -> float:
    """The share of shingles that two texts have in common, of all that either has."""
    common = len(np.intersect1d(left, right, assume_unique=True))
    return common / max(1, len(left) + len(right) - common)


def near_duplicates(texts: Sequence[str], threshold: float) -> Ints:
    """Find the pairs of texts whose shingles overlap by at least `threshold`.

    Exact, hash collisions aside: two sets that overlap by t share one of the first
    |x| - ⌈t|x|⌉ + 1 shingles of each in one common order, and with the rarest first few sets share
    one by chance (prefix filtering: Chaudhuri et al., ICDE 2006; Bayardo et al., WWW 2007).

    Args:
        texts: n texts.
        threshold: least Jaccard index, above 0, at most 1.

    Returns:
        int64 (p, 2), in rising order, the lower index first. Of texts that are equal once
        normalised each is paired with the first, and the first stands for all in other pairs.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold is {threshold:g}; expected above 0, at most 1")
    first_of: dict[str, int] = {}
    firsts = [first_of.setdefault(normalised(text), i) for i, text in enumerate(texts)]
    pairs = [(first, i) for i, first in enumerate(firsts) if first != i]
    distinct = list(first_of.values())
    sets = [shingles(texts[i]) for i in distinct]
    for left, right in sorted(_candidates(sets, threshold)):
        if jaccard(sets[left], sets[right]) >= threshold:
            pairs.append((distinct[left], distinct[right]))
    return np.asarray(sorted(pairs), np.int64).reshape(-1, 2)


def groups(size: int, pairs: Ints) -> Ints:
    """Join what pairs connect.

    Args:
        size: n.
        pairs: int64 (p, 2), indices below n.

    Returns:
        int64 (n,): for each index the least that it is connected to, itself where there is none.
    """
    parent = list(range(size))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = index = parent[parent[index]]
        return index

    for left, right in pairs.tolist():
        low, high = sorted((root(left), root(right)))
        parent[high] = low
    return np.asarray([root(index) for index in range(size)], np.int64)


def _candidates(sets: Sequence[Shingles], threshold: float) -> set[tuple[int, int]]:
    """Pairs, the lower place first, that share one of their rarest shingles and are of a size."""
    sizes = [len(part) for part in sets]
    found: set[tuple[int, int]] = set()
    for owners in _sharing(sets, threshold):
        for left, right in combinations(owners, 2):
            small, large = sorted((sizes[left], sizes[right]))
            if small >= threshold * large - _ROUNDING:
                found.add((left, right))
    return found


def _sharing(sets: Sequence[Shingles], threshold: float) -> Iterator[list[int]]:
    """For each shingle in the prefix of two sets or more, their places in rising order."""
    sizes = np.asarray([len(part) for part in sets], np.int64)
    owner = np.repeat(np.arange(len(sets)), sizes)
    flat = np.concatenate([*sets, np.empty(0, np.uint64)])
    _, names, counts = np.unique(flat, return_inverse=True, return_counts=True)
    by_rarity = np.empty(len(counts), np.int64)
    by_rarity[np.argsort(counts, kind="stable")] = np.arange(len(counts))
    key = by_rarity[names]
    order = np.lexsort((key, owner))
    place = np.arange(len(flat)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    prefix = sizes - np.ceil(threshold * sizes - _ROUNDING).astype(np.int64) + 1
    kept = order[place < prefix[owner]]
    kept = kept[counts[names[kept]] > 1]
    kept = kept[np.lexsort((owner[kept], key[kept]))]
    starts = np.flatnonzero(np.diff(key[kept])) + 1
    yield from (part.tolist() for part in np.split(owner[kept], starts) if len(part) > 1)
