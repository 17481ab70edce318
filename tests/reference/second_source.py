"""How the negatives of a model and of a second source are chosen and joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.reference.negatives import select_negatives


def choose(
    scores: Sequence[np.float32],
    second: Sequence[int],
    truths: set[int],
    group: Sequence[int],
    closed: set[int],
    counts: tuple[int, int],
    rules: dict[str, Any],
) -> list[tuple[int, bool]]:
    """Choose the negatives of one question, each with whether it is of the second source.

    Args:
        scores: the model's score of each chunk.
        second: the chunks in the order of the second source.
        truths: the ground truths.
        group: equal for chunks with the same text.
        closed: the chunks that are never negatives.
        counts: how many negatives each source gives.
        rules: the rules, as the core takes them, without `negatives`.
    """
    positives = {row: scores[row] for row in truths}

    def select(order: Sequence[int], count: int, no: set[int], times: int) -> list[int]:
        taken = {group[row] for row in no}
        kept = [row for row in order if row not in closed and group[row] not in taken]
        own = [scores[row] for row in kept]
        ranks = count * (times if rules["absolute_margin"] is not None else 1)
        window = {"range_min": rules["range_min"], "range_max": rules["range_min"] + ranks}
        if not count:
            return []
        return select_negatives(
            kept, own, positives, group.__getitem__, "", {**rules, **window, "negatives": count}
        )

    by_score = sorted(range(len(scores)), key=lambda row: (-scores[row], row))
    # The model looks at all ranks of a small corpus where a margin leaves too few.
    first = select(by_score, counts[0], set(), len(scores))
    more = select(list(second), counts[1], {*first, *truths}, 10)
    found = [(row, False) for row in first] + [(row, True) for row in more]
    return sorted(found, key=lambda one: (-scores[one[0]], one[0]))
