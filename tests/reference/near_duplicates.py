"""Which texts are nearly the same."""

from __future__ import annotations

import itertools
from collections import Counter

from tests.reference.texts import text_key


def shingles(text: str) -> set[str]:
    """Return all runs of five characters of a text. A shorter text is its own only run."""
    whole = text_key(text)
    return {whole[i : i + 5] for i in range(max(1, len(whole) - 4))} if whole else set()


def near_duplicate_groups(texts: list[str], threshold: float) -> list[int]:
    """Compare all texts with all; return for each the index of the first in its group."""
    distinct = {text_key(text): shingles(text) for text in texts}
    counts = Counter(shingle for found in distinct.values() for shingle in found)
    limit = max(10, len(distinct) // 100)
    rare = {
        text: {shingle for shingle in found if counts[shingle] <= limit}
        for text, found in distinct.items()
    }

    def is_piece(piece: str, whole: str) -> bool:
        size, common = len(rare[piece]), len(rare[piece] & rare[whole])
        large = size >= 20 and 2 * size >= len(distinct[piece])
        return large and common / size >= max(0.8, threshold)

    def connected(left: str, right: str) -> bool:
        either = len(rare[left] | rare[right])
        alike = either > 0 and len(rare[left] & rare[right]) / either >= threshold
        if min(len(rare[left]), len(rare[right])) < 20:
            common = len(distinct[left] & distinct[right])
            alike = alike and common / len(distinct[left] | distinct[right]) >= threshold
        small, large = sorted([left, right], key=lambda text: len(rare[text]))
        return alike or is_piece(small, large)

    group = {text: i for i, text in reversed(list(enumerate(map(text_key, texts))))}
    for left, right in itertools.combinations(distinct, 2):
        if connected(left, right):
            low, high = sorted((group[left], group[right]))
            group = {text: low if first == high else first for text, first in group.items()}
    return [group[text_key(text)] for text in texts]
