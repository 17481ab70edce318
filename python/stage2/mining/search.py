"""Exact search over a corpus in bounded memory, for plain vectors and for texts with entities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stage2._core import similarities as exact_similarities
from stage2._core import topk as exact_topk
from stage2.encoding.similarity import by_entity, common_distance
from stage2.encoding.vectors import Distance, Vectors
from stage2.utils.arrays import Floats, Ints, floats, plain, whole
from stage2.utils.memory import default_budget

Bools = npt.NDArray[np.bool_]

# Smaller tiles would cost more time to copy and to merge than to search.
_LEAST_ROWS = 1024


@dataclass(frozen=True)
class Nearest:
    """The k rows with the largest scores for each of Q queries, the best row first.

    Attributes:
        rows: int64 (Q, k); rows with equal scores are in rising order.
        scores: float32 (Q, k).
    """

    rows: Ints
    scores: Floats

    def merge(self, other: Nearest, k: int) -> Nearest:
        """Return the k best rows of both. No row may be in both."""
        rows = np.concatenate([self.rows, other.rows], axis=1)
        scores = np.concatenate([self.scores, other.scores], axis=1)
        order = np.lexsort((rows, -scores), axis=1)[:, :k]
        return Nearest(
            np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)
        )


def topk(
    queries: npt.ArrayLike,
    corpus: npt.ArrayLike,
    k: int,
    *,
    distance: Distance | None = None,
    device: str = "cpu",
    memory_budget: int | None = None,
) -> tuple[Ints, Floats]:
    """Find the k rows of a corpus with the largest inner products, by exact search.

    The products of a score are added in float64 in a fixed order, and the sum is rounded to float32
    once. So the result is the same on every machine and device, with any number of threads.

    With `distance` the k nearest rows are found, and a score is the negative of a distance. Every
    row is compared then, on the CPU, which takes several times as long.

    Args:
        queries: float32 (Q, d).
        corpus: float32 (N, d), in memory or mapped from a file.
        k: from 1 to N.
        distance: `euclidean` or `manhattan`; None means inner products.
        device: `cpu` or a CUDA device.
        memory_budget: bytes that copies of the corpus may use. Copies are made if it has another
            type or layout. None means a quarter of the memory.

    Returns:
        Rows, int64 (Q, k), the best first, rows with equal scores in rising order; and their
        scores, float32 (Q, k).

    Raises:
        ValueError: the widths differ, k is out of range, the distance is unknown, or a vector
            contains NaN or infinity; the message then names the row.
    """
    plain("corpus", corpus)
    left, right = floats("queries", queries), np.asanyarray(corpus)
    if right.dtype != np.float32 and right.dtype.kind != "f":
        right = floats("corpus", right)
    k = whole("k", k, low=1)
    if memory_budget is not None:
        memory_budget = whole("memory_budget", memory_budget, low=1)
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1]:
        raise ValueError(
            f"queries of shape {left.shape} and a corpus of shape {right.shape}; "
            "expected (Q, d) and (N, d)"
        )
    found = search(left, right, k, distance=distance, device=device, memory_budget=memory_budget)
    return found.rows, found.scores


def search(
    queries: npt.NDArray[np.floating],
    corpus: npt.NDArray[np.floating],
    k: int,
    *,
    rows: Ints | None = None,
    distance: Distance | None = None,
    device: str = "cpu",
    memory_budget: int | None = None,
) -> Nearest:
    """Find the k rows with the largest scores in a corpus or in some of its rows.

    Args:
        queries: floats (Q, d).
        corpus: floats (N, d). C-contiguous float32, in memory or mapped, is searched in place;
            anything else is copied tile by tile.
        k: from 1 to the number of rows.
        rows: int64, rising, the rows that are searched; None means all.
        distance: the distance whose negative is the score; None means the inner product.
        device: `cpu` or a CUDA device. The result is the same.
        memory_budget: bytes that copies may use; None means a quarter of the memory.

    Raises:
        ValueError: there are fewer than k rows, or a vector contains NaN or infinity.
    """
    queries = _rowwise(queries)
    if rows is None and corpus.dtype == np.float32 and corpus.flags.c_contiguous:
        return _search_tile(queries, corpus, k, distance, device)
    best: Nearest | None = None
    for tile in _tiles(np.arange(len(corpus)) if rows is None else rows, corpus, memory_budget):
        part = _rowwise(corpus[tile])
        found = _search_tile(queries, part, min(k, len(part)), distance, device)
        found = Nearest(tile[found.rows], found.scores)
        best = found if best is None else best.merge(found, k)
    if best is None or best.rows.shape[1] < k:
        size = len(corpus) if rows is None else len(rows)
        raise ValueError(f"the {k} best of {size} rows asked for")
    return best


def search_texts(
    queries: Vectors[Any],
    corpus: Vectors[Any],
    k: int,
    *,
    device: str = "cpu",
    memory_budget: int | None = None,
) -> Nearest:
    """Find the k most similar texts of a corpus: by entities if both texts have some, else by μ.

    For queries with entities there are two searches, one in the texts with entities and one in the
    others. For queries without entities there is one search in all texts.

    Args:
        queries: the vectors of Q texts.
        corpus: the vectors of N texts.
        k: from 1; of fewer than k texts all are returned.
        device: `cpu` or a CUDA device. The result is the same.
        memory_budget: bytes that copies may use; None means a quarter of the memory.
    """
    distance = common_distance(queries, corpus)

    def part(asked: Ints, by: str, rows: Ints | None, k: int) -> Nearest:
        return search(
            getattr(queries, by)[asked], getattr(corpus, by), k,
            rows=rows, distance=distance, device=device, memory_budget=memory_budget,
        )  # fmt: skip

    size, width = len(corpus.mu), len(queries.mu)
    with_entity, without = np.flatnonzero(corpus.has_entity), np.flatnonzero(~corpus.has_entity)
    asked = queries.has_entity if len(with_entity) else np.zeros(width, np.bool_)
    k = min(k, size)
    found = Nearest(np.empty((width, k), np.int64), np.empty((width, k), np.float32))
    if (by_mu := np.flatnonzero(~asked)).size:
        nearest = part(by_mu, "mu", None, k)
        found.rows[by_mu], found.scores[by_mu] = nearest.rows, nearest.scores
    if (with_some := np.flatnonzero(asked)).size:
        nearest = part(with_some, "entity", with_entity, min(k, len(with_entity)))
        if without.size:
            others = part(with_some, "mu", without, min(k, len(without)))
            nearest = nearest.merge(others, k)
        found.rows[with_some], found.scores[with_some] = nearest.rows, nearest.scores
    return found


def similarities(queries: Vectors[Any], corpus: Vectors[Any], rows: Ints, offsets: Ints) -> Floats:
    """Score given rows of a corpus: `rows[offsets[i]:offsets[i + 1]]` for query i.

    Args:
        queries: the vectors of Q texts.
        corpus: the vectors of N texts.
        rows: int64 (m,).
        offsets: int64 (Q + 1,).

    Returns:
        float32 (m,), the same scores as those of `search_texts`.
    """
    distance = common_distance(queries, corpus)
    scores = exact_similarities(_rowwise(queries.mu), _rowwise(corpus.mu), rows, offsets, distance)
    both = by_entity(np.repeat(queries.has_entity, np.diff(offsets)), corpus.has_entity[rows])
    if not both.any():
        return scores
    sides = _rowwise(queries.entity), _rowwise(corpus.entity)
    return np.where(both, exact_similarities(*sides, rows, offsets, distance), scores)


def _rowwise(vectors: npt.NDArray[np.floating]) -> Floats:
    return floats("vectors", vectors)


def _search_tile(
    queries: Floats, corpus: Floats, k: int, distance: Distance | None, device: str
) -> Nearest:
    if device == "cpu" or distance is not None:
        return Nearest(*exact_topk(queries, corpus, k, distance))
    from stage2.mining.search_cuda import topk  # only this search needs torch

    return Nearest(*topk(queries, corpus, k, device))


def _tiles(
    rows: Ints, corpus: npt.NDArray[np.floating], memory_budget: int | None
) -> Iterator[Ints]:
    """Yield tiles of rows. The copy of a tile and its float32 version fit the budget."""
    budget = default_budget() if memory_budget is None else memory_budget
    row_bytes = corpus.shape[1] * (corpus.itemsize + np.dtype(np.float32).itemsize)
    step = max(_LEAST_ROWS, budget // max(1, row_bytes))
    for start in range(0, len(rows), step):
        yield rows[start : start + step]
