"""The fusion of the scores of two models."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stage2.evaluation.fusion import fused
from stage2.evaluation.ranking import Scored


def scored(scores: list[list[float]]) -> Scored:
    offsets = np.cumsum([0, *map(len, scores)], dtype=np.int64)
    flat = np.asarray([value for row in scores for value in row], np.float32)
    ones = np.ones(len(scores), np.int64)
    return Scored.of(flat, offsets, ones, np.ones(len(flat), np.bool_))


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12),
    st.sampled_from([0.0, 0.3, 0.5, 1.0]),
)
def test_reciprocal_ranks_are_of_scipys_ranks(pairs: list[tuple[int, int]], alpha: float) -> None:
    left, right = ([float(pair[side]) for pair in pairs] for side in (0, 1))
    found = fused(scored([left, left]), scored([right, right]), alpha, "reciprocal-rank")
    ranks = [stats.rankdata([-value for value in side]) for side in (left, right)]
    expected = (1 - alpha) / (60 + ranks[0]) + alpha / (60 + ranks[1])
    np.testing.assert_allclose(found.scores, np.tile(expected, 2), rtol=1e-6)
