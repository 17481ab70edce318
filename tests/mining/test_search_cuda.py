"""Search with tensors gives the result of the core. Here the tensors are on a CPU."""

from __future__ import annotations

import numpy as np
import pytest

from stage2 import _core
from stage2.mining import search_cuda


def on_device(device: str, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the search with tensors on a device; tests/test_cuda.py calls this for a GPU."""
    monkeypatch.setattr(search_cuda, "_TILE_SCORES", 1 << 14)  # for several tiles
    random = np.random.default_rng(2)
    queries, corpus = (random.standard_normal((n, 64), dtype=np.float32) for n in (40, rows))
    corpus[100:300] = corpus[7]  # no approximation can order equal rows
    for k in (1, 10, 400):
        expected = _core.topk(queries, corpus, k)
        found = search_cuda.topk(queries, corpus, k, device)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("rows", [500, 5000])
def test_tiles_of_tensors_give_the_answer_of_the_core(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_device("cpu", rows, monkeypatch)


def test_small_and_large_sides_are_searched_by_tensors() -> None:
    """The squares of the rows underflow, but their products with the queries do not."""
    for seed in range(60):
        random = np.random.default_rng(seed)
        row = random.standard_normal(64)
        corpus = (1e-23 * (row + 1e-6 * random.standard_normal((3000, 64)))).astype(np.float32)
        queries = (1e17 * (row + random.standard_normal((4, 64)))).astype(np.float32)
        for ours, right in zip(
            search_cuda.topk(queries, corpus, 1, "cpu"), _core.topk(queries, corpus, 1), strict=True
        ):
            np.testing.assert_array_equal(ours, right)


@pytest.mark.parametrize("size", [1e-30, 1e20, 3e38])
def test_vectors_of_any_size_are_searched_by_tensors(size: float) -> None:
    random = np.random.default_rng(3)
    queries, corpus = ((random.uniform(-size, size, (n, 8))).astype(np.float32) for n in (5, 200))
    expected = _core.topk(queries, corpus, 3)
    np.testing.assert_array_equal(search_cuda.topk(queries, corpus, 3, "cpu")[0], expected[0])
