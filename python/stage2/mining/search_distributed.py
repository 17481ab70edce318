"""A search that processes share: each searches a part of the corpus for all queries.

Scores are exact in every part, so the merged result is exact too. Each vector of the corpus is sent
once; if the queries were divided instead, every process would need the whole corpus.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stage2.encoding.vectors import Vectors
from stage2.mining.search import Nearest, search_texts
from stage2.utils.distributed import World
from stage2.utils.memory import default_budget

# There are so many copies of the vectors on their way: pickled, sent, unpickled, searched.
_COPIES = 4


def search_shared(
    world: World,
    queries: Vectors[Any],
    corpus: Vectors[Any],
    k: int,
    *,
    device: str = "cpu",
    memory_budget: int | None = None,
) -> Nearest:
    """Search as `search.search_texts` does, with a part of the corpus in every process.

    The corpus is sent in rounds, each of which fits the memory budget.

    Args:
        world: the processes.
        queries: the vectors of Q texts.
        corpus: the vectors of N texts.
        k: from 1.
        device: `cpu` or `cuda`.
        memory_budget: bytes that the copies may use; None means a quarter of the memory.

    Raises:
        ValueError: the corpus has no texts.
    """
    budget = default_budget() if memory_budget is None else memory_budget
    size, asked = len(corpus.mu), queries.at(slice(None))
    row_bytes = _COPIES * 2 * corpus.mu.shape[1] * corpus.mu.itemsize
    step = max(1, -(-min(size, max(1, budget // row_bytes)) // world.size))
    starts = list(range(0, size, step))
    best: Nearest | None = None
    for first in range(0, len(starts), world.size):
        turn = starts[first : first + world.size]
        parts = [corpus.at(slice(start, start + step)) for start in turn]
        work = [(asked, part, k, device) for part in parts]
        idle = [None] * (world.size - len(work))
        for start, found in zip(turn, world.map(_search_share, [*work, *idle]), strict=False):
            nearest = Nearest(found.rows + start, found.scores)
            best = nearest if best is None else best.merge(nearest, k)
    if best is None:
        raise ValueError("a corpus of no texts")
    return best


def _search_share(_: World, work: tuple[Vectors[Any], Vectors[Any], int, str] | None) -> Nearest:
    if work is None:
        return Nearest(np.empty((0, 0), np.int64), np.empty((0, 0), np.float32))
    queries, part, k, device = work
    return search_texts(queries, part, k, device=device)
