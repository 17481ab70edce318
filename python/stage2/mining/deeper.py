"""Mining that looks further down the ranking for the questions that still lack negatives.

Where a margin or a limit leaves chunks out, all that a model ranks above a ground truth may be left
out. The window of ranks then has nothing for the questions that the model gets most wrong, and
those are the ones to train on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from stage2.encoding.vectors import Vectors
from stage2.mining.hard_negatives import MinedNegatives, Positives, Rules, mine_with
from stage2.mining.search import Nearest
from stage2.utils.arrays import Ints

# No further rank is looked at: what lies below is no hard negative.
DEEPEST = 5_000
_TIMES = 10
# So many scores are held at a time.
_SCORES = 1 << 24


def mine_until_enough(
    search: Callable[[Vectors[Any], Vectors[Any], int], Nearest],
    questions: Vectors[Any],
    chunks: Vectors[Any],
    positives: Positives,
    rules: Rules,
    keys: Sequence[str],
    groups: Ints,
    depth: int = 0,
) -> MinedNegatives:
    """Mine as `mine_with` does, and deeper for questions with fewer negatives than wanted.

    This is so where no last rank is stated, and the top ones of what a rule leaves are taken.

    Args:
        search: as in `mine_with`.
        questions: the vectors of n questions.
        chunks: the vectors of N chunks.
        positives: the ground truths of the questions.
        rules: the rules of selection.
        keys: the ids of the questions.
        groups: int64 (N,), equal for chunks with the same text.
        depth: as in `mine_with`.

    Returns:
        The negatives. `nearest` is what the first search found.
    """
    mined = mine_with(search, questions, chunks, positives, rules, keys, groups, depth)
    stated = rules.range_max is not None or rules.sampling != "top"
    if stated or not rules.filters or not len(keys):
        return mined
    found = np.split(mined.rows, mined.offsets[1:-1])
    scores = np.split(mined.scores, mined.offsets[1:-1])
    # Scores only fall, so that nothing is found below a row that scores too little.
    least = -np.inf if rules.min_score is None else rules.min_score
    more = mined.nearest.scores[:, -1] >= least
    end, last = rules.end, min(len(chunks), rules.range_min + DEEPEST)
    while end < last:
        end = min(_TIMES * end, last)
        short = [row for row, own in enumerate(found) if len(own) < rules.negatives and more[row]]
        size = max(1, _SCORES // end)
        for start in range(0, len(short), size):
            rows = np.asarray(short[start : start + size], np.int64)
            deeper = mine_with(
                search, questions.at(rows), chunks, positives.of(rows),
                replace(rules, range_max=end), [keys[row] for row in rows], groups,
            )  # fmt: skip
            for place, row in enumerate(rows):
                part = slice(deeper.offsets[place], deeper.offsets[place + 1])
                found[row], scores[row] = deeper.rows[part], deeper.scores[part]
    offsets = np.concatenate([[0], np.cumsum([len(own) for own in found])]).astype(np.int64)
    return replace(
        mined, rows=np.concatenate(found), scores=np.concatenate(scores), offsets=offsets
    )
