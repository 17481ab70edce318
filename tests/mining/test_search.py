"""Exact search in tiles, with the similarity that evaluation uses."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stage2
from stage2.encoding.vectors import Distance
from stage2.mining.search import search, search_texts, similarities
from tests.rankings import embeddings


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("budget", [None, 1])
@pytest.mark.parametrize("k", [1, 7, 2500])
def test_texts_are_searched_by_the_similarity_that_ranks_them(
    share: float, budget: int | None, k: int
) -> None:
    queries, corpus = embeddings(20, 1, share), embeddings(2500, 2, share)
    found = search_texts(queries, corpus, k, memory_budget=budget)
    scores = stage2.similarity(queries, corpus)  # whole numbers are exact in any order
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(found.rows, order)
    np.testing.assert_array_equal(found.scores, np.take_along_axis(scores, order, axis=1))
    offsets = np.arange(21, dtype=np.int64) * k
    again = similarities(queries, corpus, found.rows.ravel(), offsets)
    np.testing.assert_array_equal(again.reshape(20, k), found.scores)


@pytest.mark.parametrize("distance", ["euclidean", "manhattan"])
def test_texts_are_searched_by_the_distance_that_ranks_them(distance: Distance) -> None:
    queries, corpus = (
        replace(embeddings(count, seed, 0.5), distance=distance)
        for count, seed in ((20, 1), (300, 2))
    )
    found = search_texts(queries, corpus, 30, memory_budget=1)
    scores = stage2.similarity(queries, corpus)
    best = np.sort(-scores, axis=1)[:, :30]
    np.testing.assert_allclose(found.scores, -best, atol=1e-6)
    here = np.take_along_axis(scores, found.rows, axis=1)
    np.testing.assert_allclose(found.scores, here, atol=1e-6)


def test_an_array_is_compared_as_what_stands_beside_it() -> None:
    queries, corpus = (
        replace(embeddings(count, seed, 0), distance="euclidean")
        for count, seed in ((5, 1), (40, 2))
    )
    positives = stage2.Positives(np.arange(5), np.arange(6))
    expected = stage2.mine_negatives(queries, corpus, positives)
    for left, right in ((queries, corpus.mu), (queries.mu, corpus)):
        found = stage2.mine_negatives(left, right, positives)
        np.testing.assert_array_equal(found.rows, expected.rows)
        np.testing.assert_array_equal(found.scores, expected.scores)
    assert (expected.scores < 0).all()
    assert (stage2.mine_negatives(queries.mu, corpus.mu, positives).scores > 0).any()


def test_vectors_of_two_models_are_not_compared() -> None:
    queries, corpus = embeddings(3, 1), replace(embeddings(4, 2), distance="manhattan")
    for compare in (stage2.similarity, partial(search_texts, k=1)):
        with pytest.raises(ValueError, match="by inner product and by manhattan"):
            compare(queries, corpus)


@pytest.mark.parametrize("kind", ["float64", "columns", "mapped"])
def test_vectors_of_any_layout_are_searched_in_tiles(kind: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    queries = random.standard_normal((9, 16), dtype=np.float32)
    plain = random.standard_normal((3000, 16), dtype=np.float32)
    corpus: Any = plain.astype(np.float64) if kind == "float64" else np.asfortranarray(plain)
    if kind == "mapped":
        np.save(tmp_path / "corpus.npy", plain)
        corpus = np.load(tmp_path / "corpus.npy", mmap_mode="r")
    expected = stage2.topk(queries, plain, 12)
    found = stage2.topk(queries, corpus, 12, memory_budget=100_000)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    rows = np.arange(0, 3000, 3)
    some = search(queries, corpus, 5, rows=rows, memory_budget=1)
    np.testing.assert_array_equal(some.rows, rows[stage2.topk(queries, plain[rows], 5)[0]])


def test_more_rows_than_there_are_cannot_be_found() -> None:
    vectors = np.ones((4, 2), np.float32)
    with pytest.raises(ValueError, match="5 best of 4 rows"):
        stage2.topk(vectors, vectors.astype(np.float64), 5)
    with pytest.raises(ValueError, match="expected \\(Q, d\\) and \\(N, d\\)"):
        stage2.topk(vectors, np.ones((4, 3), np.float32), 1)
