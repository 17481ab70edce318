"""The vectors of texts, as similarity, search and training use them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from stage2.encoding.vectors import Vectors, without_entities
from tests.rankings import embeddings


@pytest.mark.parametrize("rows", [slice(1, 4), np.array([3, 0]), np.array([[0], [2]])])
def test_rows_are_taken_of_every_part(rows: slice | np.ndarray) -> None:  # type: ignore[type-arg]
    given = replace(embeddings(5, 1), distance="manhattan")
    found = given.at(rows)
    assert found.distance == found.in_float64().distance == "manhattan"
    for name in ("mu", "entity", "has_entity"):
        np.testing.assert_array_equal(getattr(found, name), getattr(given, name)[rows])


def test_tensors_have_the_same_shape_and_keep_their_gradient() -> None:
    mu = torch.ones(3, 2, requires_grad=True)
    found = Vectors(mu, mu, torch.tensor([True, False, True])).at(torch.tensor([2, 0]))
    assert len(found) == 2
    found.mu.sum().backward()
    assert mu.grad is not None
    assert mu.grad.tolist() == [[1, 1], [0, 0], [1, 1]]


def test_entities_are_converted_only_where_there_are_some() -> None:
    some, none = embeddings(6, 1), embeddings(6, 1, share=0.0)
    assert some.has_entity.any()
    assert some.in_float64().mu.dtype == some.in_float64().entity.dtype == np.float64
    assert none.in_float64().mu.dtype == np.float64
    assert none.in_float64().entity is none.entity


def test_texts_without_entities_are_compared_by_their_sentences() -> None:
    mu = embeddings(4, 1).mu
    found = without_entities(mu)
    assert found.mu is mu
    assert found.has_entity.tolist() == [False] * 4
