"""Vectors as numpy arrays, in memory or in unnamed files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stage2.encoding.embeddings import Embeddings
from tests.cached import WIDTH, same, some


@pytest.mark.parametrize("in_files", [False, True])
def test_what_is_put_is_taken(in_files: bool, tmp_path: Path) -> None:
    given = some(5)
    out = Embeddings.empty(7, WIDTH, tmp_path if in_files else None)
    assert isinstance(out.mu, np.memmap) == in_files
    assert not any(column.any() for column in out.columns.values())
    out.put(np.array([6, 0, 2]), given.take([1, 3, 4]))
    assert same(out.take([0, 2, 6]), given.take([3, 4, 1]))
    assert not out.kappa[[1, 3, 4, 5]].any()
    assert len(out) == 7
    assert not list(tmp_path.iterdir())


def test_no_texts_need_no_file(tmp_path: Path) -> None:
    assert Embeddings.empty(0, WIDTH, tmp_path).mu.shape == (0, WIDTH)


def test_without_entities_a_text_keeps_its_sentence() -> None:
    given = some(6)
    assert given.has_entity.any()
    found = given.without_entities()
    np.testing.assert_array_equal(found.mu, given.mu)
    for part in (found.entity, found.has_entity, found.entity_count):
        assert not part.any()
    assert given.has_entity.any()
