"""How negatives are drawn and selected."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

_MASK = 2**64 - 1


def draw_negatives(seed: int, qa_id: str, n: int, total: int, excluded: list[int]) -> list[int]:
    """Return the first n of a Fisher-Yates shuffle of the chunks that are not excluded."""
    chunks = [chunk for chunk in range(total) if chunk not in excluded]
    if n > len(chunks):
        raise ValueError(f"{n} of {len(chunks)}")
    numbers = _splitmix64(seed, qa_id)
    for i in range(n):
        j = i + _below(len(chunks) - i, numbers)
        chunks[i], chunks[j] = chunks[j], chunks[i]
    return chunks[:n]


def select_negatives(
    nearest: list[int],
    scores: list[np.float32],
    positives: dict[int, np.float32],
    group: Callable[[int], int],
    key: str,
    rules: dict[str, Any],
) -> list[int]:
    """Select the hard negatives of one question from its nearest rows, the best row first."""
    texts = {group(row) for row in positives}
    lowest = min(positives.values(), default=None)

    def allowed(score: np.float32) -> bool:
        limits = [np.float32(x) for x in [rules["max_score"]] if x is not None]
        if lowest is not None and rules["relative_margin"] is not None:
            share = np.float32(rules["relative_margin"])
            limits.append(lowest * (1 + share if lowest < 0 else 1 - share))
        margin = rules["absolute_margin"]
        if None not in (lowest, margin) and score + np.float32(margin) > lowest:
            return False
        if rules["min_score"] is not None and score < np.float32(rules["min_score"]):
            return False
        return all(score <= limit for limit in limits)

    others = [pair for pair in zip(nearest, scores, strict=True) if group(pair[0]) not in texts]
    window = others[rules["range_min"] : rules["range_max"]]
    eligible = [row for row, score in window if allowed(score)]
    count = min(rules["negatives"], len(eligible))
    if rules["seed"] is None:
        return eligible[:count]
    drawn = draw_negatives(rules["seed"], key, count, len(eligible), [])
    return [eligible[place] for place in sorted(drawn)]


def _splitmix64(seed: int, qa_id: str) -> Iterator[int]:
    state = 0xCBF29CE484222325
    for byte in seed.to_bytes(8, "little") + qa_id.encode():
        state = (state ^ byte) * 0x100000001B3 & _MASK
    state = _mix(state)
    while True:
        state = state + 0x9E3779B97F4A7C15 & _MASK
        yield _mix(state)


def _mix(x: int) -> int:
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & _MASK
    return x ^ x >> 31


def _below(bound: int, numbers: Iterator[int]) -> int:
    """Return a number below `bound`; all are equally likely.

    The number is the high word of a product. Some products are drawn again, so that the same number
    of products leads to each high word.
    """
    while True:
        high, low = divmod(next(numbers) * bound, 2**64)
        if low >= 2**64 % bound:
            return high
