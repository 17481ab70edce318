"""Mining the whole corpus: ranks and samples."""

from __future__ import annotations

import numpy as np

from stage2.mining.corpus import ranks_within
from stage2.mining.hard_negatives import MinedNegatives, Positives
from stage2.mining.search import Nearest


def test_ranks_are_expected_ranks_and_infinite_below_what_was_searched() -> None:
    nearest = Nearest(
        np.array([[3, 0, 1, 2], [0, 1, 2, 3], [1, 2, 3, 4]]),
        np.array([[0.9, 0.5, 0.5, 0.1], [0.9, 0.8, 0.5, 0.1], [0.9, 0.8, 0.7, 0.6]], np.float32),
    )
    empty = np.empty(0, np.int64)
    positives = Positives(np.array([0, 2, 3, 0]), np.array([0, 1, 3, 4]))
    scores = np.array([0.5, 0.5, 0.1, 0.2], np.float32)
    mined = MinedNegatives(empty, np.empty(0, np.float32), empty, scores, nearest)
    groups = np.arange(9)
    assert ranks_within(mined, positives, groups).tolist() == [2.5, 3.0, np.inf]
