"""The similarity in numpy, in torch and in the search equals the plain mean over pairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import stage2
from stage2.encoding.similarity import (
    DECIMALS,
    at_precision,
    cross_similarity,
    pair_similarity,
    similarity,
)
from stage2.encoding.vectors import Distance, Vectors, without_entities
from stage2.mining.search import search_texts, similarities
from tests.small import TEXTS


def texts(count: int, seed: int, share: float) -> tuple[Vectors, list[np.ndarray]]:  # type: ignore[type-arg]
    """Draw vectors of texts, some with entities, and the unit vectors of these entities."""
    random = np.random.default_rng(seed)

    def units(*shape: int) -> np.ndarray:  # type: ignore[type-arg]
        found = random.standard_normal(shape, np.float32)
        return found / np.linalg.norm(found, axis=-1, keepdims=True)

    entities = [units(int(random.random() < share) * int(random.integers(1, 4)), 8)
                for _ in range(count)]  # fmt: skip
    mean = np.stack([one.mean(axis=0) if len(one) else np.zeros(8) for one in entities])
    has_entity = np.array([len(one) > 0 for one in entities])
    return Vectors(units(count, 8), mean.astype(np.float32), has_entity), entities


def in_torch(given: Vectors) -> Vectors:  # type: ignore[type-arg]
    parts = (torch.from_numpy(part) for part in (given.mu, given.entity, given.has_entity))
    return Vectors(*parts, distance=given.distance)


def obvious(left: Vectors, right: Vectors, ours: list, theirs: list) -> np.ndarray:  # type: ignore[type-arg]
    """Compute the similarity by definition: the mean over all pairs of entities.

    By a distance it is that between the means of the entities.
    """
    if left.distance is not None:
        order = {"euclidean": 2, "manhattan": 1}[left.distance]
        both = left.has_entity[:, None, None] & right.has_entity[None, :, None]
        apart = left.mu[:, None].astype(float) - right.mu[None]
        entities = left.entity[:, None].astype(float) - right.entity[None]
        return -np.linalg.norm(np.where(both, entities, apart), ord=order, axis=-1)
    found = np.empty((len(left), len(right)))
    for i, one in enumerate(ours):
        for j, other in enumerate(theirs):
            pairs = [float(a.astype(float) @ b.astype(float)) for a in one for b in other]
            sentence = float(left.mu[i].astype(float) @ right.mu[j].astype(float))
            found[i, j] = sum(pairs) / len(pairs) if pairs else sentence
    return found


@pytest.mark.parametrize("distance", [None, "euclidean", "manhattan"])
@given(
    n=st.integers(1, 5), m=st.integers(1, 6), seed=st.integers(0, 2**32 - 1),
    share=st.sampled_from([0, 0.5, 1]),
)  # fmt: skip
def test_numpy_torch_and_the_search_agree(
    distance: Distance | None, n: int, m: int, seed: int, share: float
) -> None:
    (left, ours), (right, theirs) = texts(n, seed, share), texts(m, seed + 1, share)
    left, right = (replace(side, distance=distance) for side in (left, right))
    expected = obvious(left, right, ours, theirs)

    found = similarity(left, right)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2 * 10.0**-DECIMALS)
    one, other = (in_torch(side) for side in (left, right))
    np.testing.assert_allclose(cross_similarity(one, other).numpy(), expected, atol=1e-6)

    rows, columns = (index.ravel() for index in np.indices((n, m)))
    flat = expected.ravel()
    np.testing.assert_allclose(pair_similarity(left.at(rows), right.at(columns)), flat, atol=1e-6)
    pairs = pair_similarity(one.at(torch.arange(n)[:, None]), other.at(torch.arange(m)[None]))
    np.testing.assert_allclose(pairs.numpy(), expected, atol=1e-6)

    offsets = np.arange(n + 1, dtype=np.int64) * m
    scores = similarities(left, right, columns.astype(np.int64), offsets)
    np.testing.assert_allclose(scores, flat, atol=1e-6)
    nearest = search_texts(left, right, m)
    found_all = np.take_along_axis(expected, nearest.rows, axis=1)
    np.testing.assert_allclose(nearest.scores, found_all, atol=1e-6)
    assert (np.sort(nearest.rows, axis=1) == np.arange(m)).all()


def test_similarity_falls_back_to_sentences(model: stage2.ProbabilisticGBERTV4) -> None:
    left = model.encode(TEXTS[:2], [[(0, 3)], []])
    right = model.encode(TEXTS[2:4], [[(0, 3)], []])
    found = stage2.similarity(left, right)
    assert found.shape == (2, 2)
    assert found.dtype == np.float32
    sentence = left.mu @ right.mu.T
    entity = left.entity @ right.entity.T
    expected = [[entity[0, 0], sentence[0, 1]], [sentence[1, 0], sentence[1, 1]]]
    np.testing.assert_allclose(found, expected, atol=2e-6)
    np.testing.assert_allclose(
        stage2.similarity(left.without_entities(), right), sentence, atol=2e-6
    )


def test_scores_are_rounded_to_what_is_written() -> None:
    assert at_precision(np.array([0.12345649, 0.12345651])).tolist() == pytest.approx(
        [0.123456, 0.123457], abs=1e-8
    )
    assert at_precision(np.zeros((2, 3))).dtype == np.float32


@pytest.mark.parametrize("distance", ["euclidean", "manhattan"])
def test_a_distance_of_0_has_a_gradient(distance: Distance) -> None:
    """A question may be one of the texts, and then its distance to itself has no slope."""
    mu = torch.tensor([[1.0, 2.0], [1.0, 2.0], [3.0, -1.0]], requires_grad=True)
    given = replace(without_entities(mu.detach().numpy()), distance=distance)
    vectors = replace(in_torch(given), mu=mu)
    for scores in (
        cross_similarity(vectors, vectors),
        pair_similarity(vectors, vectors.at([1, 0, 2])),
    ):
        mu.grad = None
        scores.sum().backward()
        assert mu.grad is not None
        assert mu.grad.isfinite().all()
