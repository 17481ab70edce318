"""Embedding that processes share gives the vectors of a single process."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import stage2
from stage2.encoding.batches import encode_batches
from stage2.encoding.distributed import encode_shared
from stage2.encoding.tokens import batches_by_tokens, tokenize
from tests.cached import same
from tests.small import TEXTS
from tests.worlds import Played


@pytest.mark.parametrize("size", [1, 2, 3, 20])
def test_the_vectors_are_those_of_one_process(
    model: stage2.ProbabilisticGBERTV4, size: int
) -> None:
    """With more processes than batches some have nothing to do."""
    spans: Any = [[(0, 3)] if number % 2 else () for number in range(len(TEXTS))]
    tokens = tokenize(model, TEXTS, spans)
    batches = list(batches_by_tokens(tokens.lengths, 30))
    assert len(batches) > 3
    seen: list[tuple[int, int]] = []
    world: Any = Played(size, model)
    found = encode_shared(
        world, tokens, batches, "fp32", lambda done, total, _=0: seen.append((done, total))
    )
    assert same(found, encode_batches(model, tokens, batches, "fp32"))
    assert np.linalg.norm(found.mu, axis=1) == pytest.approx(np.ones(len(TEXTS)))
    assert {total for _, total in seen} == {len(TEXTS)}
    assert max(done for done, _ in seen) <= len(TEXTS)
