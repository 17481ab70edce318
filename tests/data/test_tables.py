"""Tables: lists of candidates, and ids that follow from texts."""

from __future__ import annotations

import numpy as np

from stage2.data.tables import Lists, made_id


def test_an_id_follows_from_all_texts_and_their_bounds() -> None:
    assert made_id("a", "bc") == made_id("a", "bc")
    assert len({made_id("a", "bc"), made_id("ab", "c"), made_id("abc"), made_id("", "abc")}) == 4


def test_lists_of_some_questions() -> None:
    grades = np.array([1.0, np.nan, 2.0, 0.0])
    lists = Lists(np.array([0, 2, 2, 4]), np.array([5, 6, 7, 8]), grades)
    taken = lists.take(np.array([2, 1]))
    assert taken.offsets.tolist() == [0, 2, 2]
    assert list(taken.of(0)) == [(7, 2.0, None), (8, 0.0, None)]
    assert list(lists.of(0)) == [(5, 1.0, None), (6, None, None)]
    assert (lists.graded(1), lists.graded(0), taken.graded(2)) == (2, 2, 1)
