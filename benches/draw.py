"""Sampling of negatives in plain numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def draw_and_repair(own: Ints, negatives: int, total: int) -> Ints:
    """Draw for all questions at once, then again for the questions that got a chunk twice.

    Args:
        own: int64 (n,), the chunk that each question must not draw.
        negatives: the number of chunks to draw for each question.
        total: the number of all chunks.

    Returns:
        Chunks, int64 (n, negatives).
    """
    random = np.random.default_rng(0)
    drawn = random.integers(0, total - 1, (len(own), negatives))
    again = np.arange(len(own))
    while len(again):
        ordered = np.sort(drawn[again], axis=1)
        again = again[(ordered[:, 1:] == ordered[:, :-1]).any(axis=1)]
        drawn[again] = random.integers(0, total - 1, (len(again), negatives))
    drawn += drawn >= own[:, None]
    return drawn
