"""The headroom: fusion over a corpus is that of the slow version, and the shares are right."""

from __future__ import annotations

from functools import partial
from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.bm25 import Bm25, rank_by_bm25
from stage2.evaluation.fusion import fused
from stage2.evaluation.headroom import chances, headroom, metrics, rank_beside
from stage2.evaluation.ranking import (
    Ranked,
    Scored,
    corpus_blocks,
    corpus_scores,
    score_corpus,
)
from stage2.evaluation.run_ranks import RunScores
from stage2.evaluation.truths import Truths
from tests.rankings import made
from tests.reference.fusion import reciprocal_rank_fusion


def tie(lists: RankingLists, random: np.random.Generator) -> None:
    """Give the lists texts of which some have the same words, so that the scores of BM25 tie."""
    lists.tokens.texts = [
        " ".join(random.choice(list("abcdef"), 3)) + f" x{i}" for i in range(len(lists.tokens))
    ]


def by_words(lists, block: Scored, first: int, order: list[np.ndarray]) -> Scored:  # type: ignore[no-untyped-def]
    """Return the same lists with the scores of BM25."""
    rows = np.arange(first, first + len(block.lengths))
    scores = Bm25(lists).of_questions(rows)
    flat = np.concatenate([row[places] for row, places in zip(scores, order, strict=True)])
    return Scored.of(flat, block.offsets, block.num_relevant, block.both, block.grades)


@given(st.integers(1, 6), st.integers(5, 30), st.integers(0, 2**32), st.integers(1, 9))
def test_fusion_is_that_of_whole_lists(questions: int, chunks: int, seed: int, block: int) -> None:
    lists, vectors = made(questions, chunks, seed)
    random = np.random.default_rng(seed)
    tie(lists, random)
    with patch("stage2.evaluation.corpus_counts._BLOCK_SCORES", block * chunks):
        found = rank_beside(lists, partial(corpus_scores, lists, vectors), 3)
    np.testing.assert_array_equal(found.bm25.ranking.rank, rank_by_bm25(lists).ranking.rank)
    first = 0
    for one in corpus_blocks(lists, vectors):
        order = []
        for row in range(first, first + len(one.lengths)):
            start = lists.offsets[row]
            own = lists.contexts[start : start + lists.num_relevant[row]]
            rest = np.setdiff1d(np.arange(chunks), own)
            order.append(np.concatenate([own, rest]))
        slow = fused(one, by_words(lists, one, first, order), 0.5, "reciprocal-rank")
        rows = np.arange(first, first + len(one.lengths))
        np.testing.assert_allclose(found.fusion.take(rows).ranking.rank, slow.ranking.rank)
        for place, row in enumerate(rows):
            scores = np.empty(chunks, np.float32)
            scores[order[place]] = one.scores[one.offsets[place] : one.offsets[place + 1]]
            best = sorted(range(chunks), key=lambda at: (-scores[at], at))[:3]
            assert found.first[row].tolist() == best
        first += len(one.lengths)
    assert first == questions


@given(st.integers(1, 5), st.integers(5, 20), st.integers(0, 2**32), st.integers(1, 9))
def test_the_fusion_of_a_run_is_that_of_the_slow_version(
    questions: int, chunks: int, seed: int, block: int
) -> None:
    lists, _ = made(questions, chunks, seed)
    random = np.random.default_rng(seed)
    tie(lists, random)
    # Some questions have nothing in the run, others all chunks; scores tie.
    places = [random.permutation(chunks)[: random.integers(chunks + 1)] for _ in range(questions)]
    scores = [random.integers(0, 4, len(own)).astype(np.float32) for own in places]
    run = RunScores(places, scores)
    with patch("stage2.evaluation.corpus_counts._BLOCK_SCORES", block * chunks):
        found = rank_beside(lists, lambda rows: run.of_corpus(rows, chunks), 3)
    bm25 = Bm25(lists).of_questions(np.arange(questions))
    for row in range(questions):
        named = dict(zip(places[row].tolist(), scores[row].tolist(), strict=True))
        slow = reciprocal_rank_fusion([named, dict(enumerate(bm25[row].tolist()))], chunks)
        start = lists.offsets[row]
        own = lists.contexts[start : start + lists.num_relevant[row]]
        rest = np.setdiff1d(np.arange(chunks), own)
        flat = np.asarray(slow, np.float32)[np.concatenate([own, rest])]
        offsets, counts = np.array([0, chunks]), lists.num_relevant[row : row + 1]
        scored = Scored.of(flat, offsets, counts, np.zeros(chunks, np.bool_))
        np.testing.assert_allclose(found.fusion.ranking.rank[row], scored.ranking.rank[0])
        best = sorted(named, key=lambda at: (-named[at], at))[:3]
        assert found.first[row].tolist() == best


def ranked(above: list[int], equal: list[int]) -> Ranked:
    """Rank one ground truth each among 1,000 chunks."""
    count = len(above)
    truths = Truths(
        np.arange(count + 1), np.asarray(above), np.asarray(equal), np.zeros(count, np.bool_)
    )
    return Ranked.of_truths(truths, np.full(count, 1000), np.zeros(count, np.int64))


def test_shares_of_the_definitions() -> None:
    # Ranks 1, 1.5 (a tie of two), 4, 100 and 101.
    found = ranked([0, 0, 3, 99, 100], [1, 2, 1, 1, 1])
    masks = {name: mask.tolist() for name, mask in chances(found, 3).items()}
    assert masks["first"] == [True, False, False, False, False]
    assert masks["hard"] == [False, False, True, True, True]
    assert masks["reach"] == [False, True, True, True, False]
    assert masks["beyond"] == [False, False, False, False, True]
    facts = headroom(found, 3)
    assert facts["reach"] == {"count": 3, "share": 0.6}
    np.testing.assert_allclose(facts["possible_gain"], (0.25 + 0.75 + 0.99) / 5)
    assert metrics(found)["top1"] == 1.5 / 5
    assert metrics(found)["recall100"] == 4 / 5


def test_scores_of_the_corpus_are_those_that_are_ranked() -> None:
    lists, vectors = made(4, 12, 1)
    everyone = np.concatenate([one.ranking.rank for one in corpus_blocks(lists, vectors)])
    np.testing.assert_allclose(everyone, score_corpus(lists, vectors).ranking.rank)
