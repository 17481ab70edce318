from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stage2._core import sample_negatives
from tests import reference


def sample(qa_ids: list[str], n: int, total: int, excluded: list[list[int]], seed: int = 0):
    flat = np.array([chunk for chunks in excluded for chunk in chunks], np.int64)
    offsets = np.cumsum([0, *map(len, excluded)])
    return sample_negatives(qa_ids, n, total, flat, offsets, seed)


@given(data=st.data(), seed=st.integers(0, 2**64 - 1), total=st.integers(1, 150))
def test_a_draw_is_the_front_of_a_shuffle(data: st.DataObject, seed: int, total: int):
    qa_ids = data.draw(st.lists(st.text(max_size=5), min_size=1, max_size=4))
    excluded = data.draw(
        st.lists(
            st.lists(st.integers(0, total - 1), max_size=6),
            min_size=len(qa_ids),
            max_size=len(qa_ids),
        )
    )
    n = data.draw(st.integers(0, total - max(len(set(chunks)) for chunks in excluded)))
    drawn = sample(qa_ids, n, total, excluded, seed)
    assert drawn.dtype == np.int64
    assert drawn.tolist() == [
        reference.draw_negatives(seed, qa_id, n, total, chunks)
        for qa_id, chunks in zip(qa_ids, excluded, strict=True)
    ]


def test_other_questions_change_nothing():
    qa_ids = [f"q{i}" for i in range(5000)]
    excluded = [[i] for i in range(5000)]
    drawn = sample(qa_ids, 7, 5000, excluded)
    backwards = sample(qa_ids[::-1], 7, 5000, excluded[::-1])
    np.testing.assert_array_equal(drawn, backwards[::-1])
    np.testing.assert_array_equal(drawn[40:50], sample(qa_ids[40:50], 7, 5000, excluded[40:50]))
    assert not (drawn == sample(qa_ids, 7, 5000, excluded, seed=1)).all(axis=1).any()


def test_every_chunk_is_as_likely_in_every_place():
    qa_ids = [f"question {i}" for i in range(50_000)]
    drawn = sample(qa_ids, 4, 12, [[3, 8]] * len(qa_ids))
    assert all(len(set(row)) == 4 for row in drawn.tolist())
    for place in range(4):
        counts = np.bincount(drawn[:, place], minlength=12)
        assert counts[[3, 8]].tolist() == [0, 0]
        assert stats.chisquare(np.delete(counts, [3, 8])).pvalue > 1e-4


def test_two_draws_of_one_question_are_independent():
    pairs = sample([f"q{i}" for i in range(90_000)], 2, 10, [[]] * 90_000)
    counts = np.zeros((10, 10))
    np.add.at(counts, tuple(pairs.T), 1)
    assert (np.diag(counts) == 0).all()
    assert stats.chisquare(counts[~np.eye(10, dtype=bool)]).pvalue > 1e-4


def test_a_large_corpus_is_not_touched():
    drawn = sample(["a", "b"], 3, 2**62, [[], [2**61]])
    assert len(set(drawn.ravel().tolist())) == 6
    assert (drawn > 2**40).all()


def test_too_few_chunks_name_the_first_question():
    with pytest.raises(ValueError, match=r"question \"b\": 3 negatives asked for, but only 2 "):
        sample(["a", "b", "c"], 3, 4, [[1], [1, 2], [0, 1, 2]])
    with pytest.raises(ValueError, match="only 4 chunks"):
        sample(["a"], 2**62, 4, [[1]])


def test_arrays_that_do_not_fit_are_refused():
    offsets = np.array([0, 1])
    with pytest.raises(ValueError, match="expected 3 rising numbers from 0 to 1"):
        sample_negatives(["a", "b"], 1, 5, np.array([2]), offsets)
    with pytest.raises(ValueError, match="n is -1"):
        sample_negatives(["a"], -1, 5, np.array([2]), offsets)
