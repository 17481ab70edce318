"""Hard negatives among the chunks that a question's side of the split may know.

A chunk that answers a held-out question is often near the questions that are trained on. Mined as
their negative it teaches the model to rank the held-out answer low. So the questions of a side are
given no chunk that answers a question of a later side only: those that are trained on none that dev
or test questions ask for, and dev questions, on which the choice is trained again, none of test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from stage2.mining.hard_negatives import MinedNegatives, Positives
from stage2.utils.arrays import Ints

# Mines the questions at some rows among the chunks at some rows; the ground truths are of these.
MineAmong = Callable[[Ints, Ints, Positives], MinedNegatives]


def mine_by_side(
    mine: MineAmong,
    positives: Positives,
    groups: Ints,
    sides: Sequence[Ints],
    everywhere: MinedNegatives,
) -> tuple[Ints, Ints]:
    """Mine the questions of each side among the chunks that it may know.

    Args:
        mine: a function that mines some questions among some chunks. It returns places among these.
        positives: the ground truths of n questions, as rows of N chunks.
        groups: int64 (N,), equal for chunks with the same text.
        sides: the rows of the questions of each side, int64, the ones that are trained on first.
        everywhere: what was mined for all questions among all chunks. It is kept for questions on
            no side, and for sides from which nothing is kept.

    Returns:
        The rows of the negatives, int64 (m,), and where each question's start, int64 (n + 1,).
    """
    found = np.split(everywhere.rows, everywhere.offsets[1:-1])
    for place, side in enumerate(sides):
        known = _groups_of(positives, groups, sides[: place + 1])
        later = np.setdiff1d(_groups_of(positives, groups, sides[place + 1 :]), known)
        if not len(later) or not len(side):
            continue
        allowed = np.flatnonzero(~np.isin(groups, later)).astype(np.int64)
        own = positives.of(side)
        # All ground truths of the side are among the chunks that it knows.
        places = np.searchsorted(allowed, own.rows).astype(np.int64)
        mined = mine(side, allowed, Positives(places, own.offsets))
        for row, chosen in zip(side, np.split(mined.rows, mined.offsets[1:-1]), strict=True):
            found[row] = allowed[chosen]
    starts = np.concatenate([[0], np.cumsum([len(rows) for rows in found])])
    return np.concatenate(found).astype(np.int64), starts.astype(np.int64)


def _groups_of(positives: Positives, groups: Ints, sides: Sequence[Ints]) -> Ints:
    """Return the groups of the ground truths of all questions of some sides, rising."""
    rows = np.concatenate([np.empty(0, np.int64), *sides])
    truths = [positives.rows[positives.offsets[i] : positives.offsets[i + 1]] for i in rows]
    return np.unique(groups[np.concatenate([np.empty(0, np.int64), *truths])])
