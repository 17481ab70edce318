"""Places of ground truths in lists that lack some of them are those in shorter lists."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2 import Embeddings
from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.ranking import Ranked, corpus_blocks, score, score_corpus
from stage2.evaluation.truths import Truths
from tests import reference
from tests.rankings import made

# A list's scores, with ties; whether each ground truth, which come first, is dropped; and grades.
lists = st.lists(st.integers(0, 4), min_size=1, max_size=8).flatmap(
    lambda scores: st.tuples(
        st.just(scores),
        st.lists(st.booleans(), min_size=1, max_size=len(scores)).filter(
            lambda gone: not all(gone)
        ),
        st.lists(st.integers(1, 3), min_size=len(scores), max_size=len(scores)),
    )
)
Drawn = tuple[list[int], list[bool], list[int]]


def truths_of(drawn: list[Drawn], graded: bool) -> Truths:
    counted = [reference.counts(list(map(float, s)), len(gone)) for s, gone, _ in drawn]
    grades = [float(grade) for _, gone, row in drawn for grade in row[: len(gone)]]
    return Truths(
        starts=np.cumsum([0, *(len(gone) for _, gone, _ in drawn)]).astype(np.int64),
        above=np.array([n for above, _ in counted for n in above], np.int64),
        equal=np.array([n for _, equal in counted for n in equal], np.int64),
        by_entity=np.array([s[i] > 1 for s, gone, _ in drawn for i in range(len(gone))], np.bool_),
        grades=np.array(grades) if graded else None,
    )


def ranked_of(drawn: list[Drawn], graded: bool) -> Ranked:
    lengths = np.array([len(scores) for scores, _, _ in drawn], np.int64)
    with_entity = [sum(score > 1 for score in scores) for scores, _, _ in drawn]
    return Ranked.of_truths(truths_of(drawn, graded), lengths, np.array(with_entity, np.int64))


@given(st.lists(lists, min_size=1, max_size=5), st.booleans())
def test_what_is_left_ranks_as_in_the_lists_without_the_dropped(
    drawn: list[Drawn], graded: bool
) -> None:
    dropped = np.array([one for _, gone, _ in drawn for one in gone])
    shorter = []
    for scores, gone, grades in drawn:
        kept = [i for i in range(len(scores)) if i >= len(gone) or not gone[i]]
        left = [False] * gone.count(False)
        shorter.append(([scores[i] for i in kept], left, [grades[i] for i in kept]))
    found, wanted = ranked_of(drawn, graded).without(dropped), ranked_of(shorter, graded)
    for name in ("starts", "above", "equal", "by_entity", "grades"):
        assert np.array_equal(getattr(found.truths, name), getattr(wanted.truths, name)), name
    assert found.metrics(range(len(drawn)), (1, 3)) == wanted.metrics(range(len(drawn)), (1, 3))
    assert found.pairs() == wanted.pairs()
    # The metrics are those of a plain enumeration, too.
    for row, (scores, left, grades) in enumerate(shorter):
        gains = [
            float(grades[i] if graded else 1) if i < len(left) else 0.0 for i in range(len(scores))
        ]
        for metric, values in (
            (lambda order: reference.ndcg(order, 10), found.ranking.ndcg(10)),
            (lambda order: reference.recall(order, 3), found.ranking.recall(3)),
            (lambda order: 1 / reference.first_place(order), found.ranking.reciprocal_rank),
        ):
            plain = reference.expected(list(map(float, scores)), gains, metric)
            assert values[row] == pytest.approx(plain, abs=1e-12)


@given(st.lists(lists, min_size=1, max_size=5), st.data())
def test_lists_are_taken_and_joined_in_order(drawn: list[Drawn], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(drawn) - 1), max_size=6))
    whole = truths_of(drawn, graded=True)
    parts = [truths_of([one], graded=True) for one in drawn]
    taken, joined = whole.take(np.array(rows, np.int64)), Truths.concat([parts[i] for i in rows])
    for name in ("starts", "above", "equal", "by_entity"):
        assert np.array_equal(getattr(taken, name), getattr(joined, name)), name
    if rows:
        assert joined.grades is not None
        assert np.array_equal(taken.grades, joined.grades)


def test_ungraded_lists_have_the_grade_1_beside_graded_ones() -> None:
    one: Drawn = ([3, 2, 1], [False, True], [2, 3, 1])
    joined = Truths.concat([truths_of([one], graded=False), truths_of([one], graded=True)])
    assert joined.grades is not None
    assert joined.grades.tolist() == [1, 1, 2, 3]
    assert Truths.concat([truths_of([one], graded=False)] * 2).grades is None


def test_a_list_keeps_a_ground_truth() -> None:
    ranked = ranked_of([([3, 2, 1], [False, True], [1, 1, 1])], graded=False)
    assert ranked.without(None) is ranked
    with pytest.raises(ValueError, match="a list would have no ground truth left"):
        ranked.without(np.array([True, True]))


def removed(
    lists: RankingLists, embeddings: Embeddings, row: int, gone: set[int]
) -> tuple[list[float], int]:
    """Score what is left of a question's corpus, the ground truths that are left first."""
    (block,) = corpus_blocks(lists.select([row]), embeddings)
    own = int(lists.num_relevant[row])
    scores = block.scores.tolist()
    kept = [i for i in range(own) if i not in gone]
    return [scores[i] for i in kept] + scores[own:], len(kept)


def test_a_corpus_and_candidates_are_ranked_without_ground_truths() -> None:
    found, embeddings = made(23, 100, 3)
    random = np.random.default_rng(0)
    starts = np.cumsum([0, *found.num_relevant])
    dropped = random.random(starts[-1]) < 0.5
    dropped[starts[:-1] + random.integers(0, found.num_relevant)] = False
    assert dropped.any()
    corpus = score_corpus(found, embeddings).without(dropped)
    flat = np.zeros(len(found.candidates), np.bool_)
    flat[found.is_relevant] = dropped
    left = np.add.reduceat(~dropped, starts[:-1], dtype=np.int64)
    shorter = found.without(flat)
    candidates = score(found, embeddings)
    wanted = score(replace(shorter, num_relevant=left), embeddings)
    got = candidates.without(dropped)
    assert got.metrics(range(23)) == wanted.metrics(range(23))
    assert got.pairs() == wanted.pairs()
    assert got.lengths.tolist() == wanted.lengths.tolist()
    for row in range(23):
        gone = set(np.flatnonzero(dropped[starts[row] : starts[row + 1]]).tolist())
        scores, count = removed(found, embeddings, row, gone)
        above, equal = reference.counts(scores, count)
        part = slice(corpus.truths.starts[row], corpus.truths.starts[row + 1])
        assert corpus.truths.above[part].tolist() == above
        assert corpus.truths.equal[part].tolist() == equal
        assert corpus.lengths[row] == len(scores)
