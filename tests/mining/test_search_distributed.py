"""A search that processes share has the result of a single process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stage2.encoding.vectors import Distance
from stage2.mining.search import search_texts
from stage2.mining.search_distributed import search_shared
from tests.rankings import embeddings
from tests.worlds import Played


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("budget", [None, 20_000, 1])
@pytest.mark.parametrize("distance", [None, "manhattan"])
def test_the_rows_are_those_of_one_process(
    size: int, budget: int | None, distance: Distance | None
) -> None:
    queries, corpus = (
        replace(embeddings(count, seed), distance=distance) for count, seed in ((6, 1), (100, 2))
    )
    world: Any = Played(size)
    found = search_shared(world, queries, corpus, 7, memory_budget=budget)
    expected = search_texts(queries, corpus, 7)
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.scores, expected.scores)
    # A budget for all rows needs one round. With a smaller one each process gets a row a round.
    assert world.rounds == {None: 1, 1: -(-100 // size)}.get(budget, world.rounds)


def test_a_corpus_of_no_texts_is_refused() -> None:
    world: Any = Played(2)
    with pytest.raises(ValueError, match="a corpus of no texts"):
        search_shared(world, embeddings(2, 1), embeddings(0, 2), 1)
