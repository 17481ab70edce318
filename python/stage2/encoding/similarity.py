"""The similarity of two texts: by their entities where both have one, else by their sentences.

The mean over all pairs of an entity of one and an entity of the other of the cosine of their
vectors is the inner product of the means of their unit vectors. So every similarity is one inner
product, of `entity` or of `mu`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stage2.encoding.vectors import Array, Vectors
from stage2.utils.arrays import Floats

# A similarity is written, ranked and compared at this precision. What torch's products leave to
# the number of threads is below it, and texts that are equal have equal vectors: no noise breaks
# a tie.
DECIMALS = 6


def similarity(queries: Vectors[Any], contexts: Vectors[Any]) -> Floats:
    """Similarity of every query to every context, as it is written and ranked.

    Args:
        queries: n_q texts, numpy.
        contexts: n_c texts, of the same model.

    Returns:
        float32 (n_q, n_c), of sums in float64.
    """
    return at_precision(cross_similarity(queries.in_float64(), contexts.in_float64()))


def at_precision(scores: npt.NDArray[np.float64]) -> Floats:
    """Round scores to what is written and compared, as float32 of the same shape."""
    return np.round(scores, DECIMALS).astype(np.float32)


def by_entity(left: Array, right: Array) -> Array:
    """Tell which texts are compared by their entities: those where both sides have some."""
    both: Array = left & right
    return both


def pair_similarity(left: Vectors[Array], right: Vectors[Array]) -> Array:
    """Similarity of pairs of texts: the vectors of the one and of the other, which broadcast.

    Returns:
        Scores of the type of the vectors, of the broadcast shape without its last axis.
    """
    both = by_entity(left.has_entity, right.has_entity)[..., None]
    scores: Array = _inner(*(_where(both, side.entity, side.mu) for side in (left, right)))
    return scores


def cross_similarity(left: Vectors[Array], right: Vectors[Array]) -> Array:
    """Similarity of every text of one side, n of them, to every text of the other, m.

    Returns:
        Scores of the type of the vectors, (n, m).
    """
    both: Array = by_entity(left.has_entity[:, None], right.has_entity[None, :])
    sentence: Array = left.mu @ right.mu.T
    # A GPU would have to be waited for, to be asked.
    if isinstance(both, np.ndarray) and not both.any():
        return sentence
    scores: Array = _where(both, left.entity @ right.entity.T, sentence)
    return scores


def _where(condition: Any, one: Any, other: Any) -> Any:
    if isinstance(condition, np.ndarray):
        return np.where(condition, one, other)
    import torch  # there already: the arguments are tensors

    return torch.where(condition, one, other)


def _inner(one: Any, other: Any) -> Any:
    """Inner products along the last axis."""
    if isinstance(one, np.ndarray):
        return np.einsum("...d,...d->...", one, other)
    return (one * other).sum(dim=-1)
