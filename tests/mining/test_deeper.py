"""Where a rule leaves too few negatives in the window, those further down are taken."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2.encoding.vectors import without_entities
from stage2.mining import deeper
from stage2.mining.deeper import mine_until_enough
from stage2.mining.hard_negatives import MinedNegatives, Positives, Rules, mine_with
from stage2.mining.search import search_texts

SIZE, COUNT = 60, 5


def mined(rules: Rules, seed: int, whole: bool) -> MinedNegatives:
    """Mine random vectors, either deeper where it is needed or to the last rank at once."""
    draw = np.random.default_rng(seed)
    questions, chunks = (
        without_entities(draw.standard_normal((count, 4), np.float32)) for count in (COUNT, SIZE)
    )
    truths = Positives(draw.integers(0, SIZE, COUNT), np.arange(COUNT + 1))
    keys, groups = [str(i) for i in range(COUNT)], draw.integers(0, SIZE, SIZE)
    groups[truths.rows] = truths.rows
    function = mine_with if whole else mine_until_enough
    return function(search_texts, questions, chunks, truths, rules, keys, groups)


@given(
    seed=st.integers(0, 1000),
    negatives=st.integers(1, 8),
    first=st.integers(0, 3),
    margin=st.sampled_from([0.0, 0.05, 0.5, 2.0]),
)
def test_the_negatives_are_those_of_all_ranks(
    seed: int, negatives: int, first: int, margin: float
) -> None:
    rules = Rules(negatives=negatives, range_min=first, relative_margin=margin)
    found = mined(rules, seed, whole=False)
    all_ranks = Rules(negatives, first, range_max=SIZE + first, relative_margin=margin)
    expected = mined(all_ranks, seed, whole=True)
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.scores, expected.scores)
    np.testing.assert_array_equal(found.offsets, expected.offsets)


@pytest.mark.parametrize(
    "rules",
    [
        Rules(2, range_max=4, relative_margin=0.5),
        Rules(2, sampling="random", relative_margin=0.5),
        Rules(2),
    ],
    ids=["a last rank", "a draw", "no filter"],
)
def test_what_is_stated_is_not_widened(rules: Rules) -> None:
    found, expected = (mined(rules, 3, whole) for whole in (False, True))
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.offsets, expected.offsets)


def test_it_ends_at_the_deepest_rank_and_works_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = Rules(1, relative_margin=2.0)
    expected = mined(Rules(1, range_max=SIZE, relative_margin=2.0), 1, whole=True)
    monkeypatch.setattr(deeper, "_SCORES", 1)
    np.testing.assert_array_equal(mined(rules, 1, whole=False).rows, expected.rows)
    monkeypatch.setattr(deeper, "DEEPEST", 12)
    least = mined(Rules(1, range_max=12, relative_margin=2.0), 1, whole=True)
    assert mined(rules, 1, whole=False).counts.tolist() == least.counts.tolist()
    assert least.counts.sum() < expected.counts.sum()


def test_no_questions_need_nothing() -> None:
    none = without_entities(np.empty((0, 4), np.float32))
    chunks = without_entities(np.ones((3, 4), np.float32))
    truths = Positives(np.empty(0, np.int64), np.zeros(1, np.int64))
    found = mine_until_enough(
        search_texts, none, chunks, truths, Rules(1, relative_margin=0.1), [], np.arange(3)
    )
    assert found.counts.tolist() == []
