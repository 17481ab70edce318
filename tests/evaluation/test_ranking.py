"""The ranking of a whole corpus in bounded memory gives the same ranks as with all scores."""

from __future__ import annotations

import numpy as np
import pytest

from stage2 import Embeddings
from stage2.evaluation import corpus_counts, ranking
from stage2.evaluation.ranking import Ranked, best_of_corpus, corpus_blocks, score_corpus
from tests.rankings import made


@pytest.mark.parametrize(("tile", "block"), [(1 << 14, 1 << 22), (7, 1), (64, 500), (100, 50)])
def test_counted_ranks_are_those_of_all_scores(
    tile: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[int, int]] = []
    for seed in range(3):
        lists, embeddings = made(23, 100, seed)
        whole = Ranked.concat([part.ranked() for part in corpus_blocks(lists, embeddings)])
        with monkeypatch.context() as patch:
            patch.setattr(ranking, "_TILE", tile)
            patch.setattr(corpus_counts, "_BLOCK_SCORES", block)
            found = score_corpus(lists, embeddings, lambda *now: done.append(now))
            again = Ranked.concat([part.ranked() for part in corpus_blocks(lists, embeddings)])
        for ranked in (found, again):
            assert ranked.ranking.rank.tolist() == whole.ranking.rank.tolist()
            assert ranked.metrics(range(23)) == whole.metrics(range(23))
            assert ranked.by_entity.tolist() == whole.by_entity.tolist()
            assert ranked.pairs() == whole.pairs()
        assert done[-1] == (23, 23)


def test_no_more_than_a_block_of_scores_is_computed_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lists, embeddings = made(40, 300, 0)
    shapes = []
    whole = ranking.similarity

    def seen(left: Embeddings, right: Embeddings) -> np.ndarray:
        shapes.append((len(left), len(right)))
        return whole(left, right)

    monkeypatch.setattr(ranking, "similarity", seen)
    monkeypatch.setattr(ranking, "_TILE", 50)
    monkeypatch.setattr(corpus_counts, "_BLOCK_SCORES", 200)
    score_corpus(lists, embeddings)
    assert max(right for _, right in shapes) == 50
    assert max(left * right for left, right in shapes) <= 200


@pytest.mark.parametrize("depth", [1, 7, 100])
def test_the_best_of_the_corpus_are_the_first_of_all_scores(depth: int) -> None:
    """The scores are few, so that ties are cut by the keys."""
    lists, embeddings = made(23, 100, 0)
    keys = np.random.default_rng(0).permutation(100)
    found = list(best_of_corpus(lists, embeddings, keys, depth))
    ranks = score_corpus(lists, embeddings).ranking
    assert len(found) == 23
    for row, (places, scores) in enumerate(found):
        assert len(places) == len(set(places.tolist())) <= depth
        ordered = sorted(zip(-scores, -keys[places], places.tolist(), strict=True))
        assert [place for _, _, place in ordered] == places.tolist()
        start = lists.offsets[row]
        own = lists.contexts[start : start + lists.num_relevant[row]]
        ranked = np.flatnonzero(np.isin(places, own))
        if not ranks.ties[row] and ranks.rank[row] <= depth:
            assert ranked[0] + 1 == ranks.rank[row]
