"""The similarity of two texts: by their entities if both have one, else by their sentences.

By entities, it is the mean of the cosines between each entity of one text and each entity of the
other. This mean equals the inner product of the means of the unit vectors. So every similarity is
one inner product, of `entity` or of `mu`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stage2.encoding.vectors import Array, Vectors
from stage2.utils.arrays import Floats

# A similarity is written, ranked and compared at this precision. The products of torch depend on
# the number of threads, but only below this precision. Equal texts have equal vectors. So no noise
# breaks a tie.
DECIMALS = 6


def similarity(queries: Vectors[Any], contexts: Vectors[Any]) -> Floats:
    """Return the similarity of every query to every context, as it is written and ranked.

    Args:
        queries: the vectors of n_q texts, in numpy.
        contexts: the vectors of n_c texts, of the same model.

    Returns:
        float32 (n_q, n_c), rounded from sums in float64.
    """
    return at_precision(cross_similarity(queries.in_float64(), contexts.in_float64()))


def at_precision(scores: npt.NDArray[np.float64]) -> Floats:
    """Round scores to the written and compared precision, as float32 of the same shape."""
    return np.round(scores, DECIMALS).astype(np.float32)


def by_entity(left: Array, right: Array) -> Array:
    """Return which texts are compared by entities: those for which both sides have some."""
    both: Array = left & right
    return both


def pair_similarity(left: Vectors[Array], right: Vectors[Array]) -> Array:
    """Compute the similarity of pairs of texts, whose vectors are broadcast.

    Returns:
        The scores in the dtype of the vectors, in the broadcast shape without its last axis.
    """
    both = by_entity(left.has_entity, right.has_entity)[..., None]
    scores: Array = _inner(*(_where(both, side.entity, side.mu) for side in (left, right)))
    return scores


def cross_similarity(left: Vectors[Array], right: Vectors[Array]) -> Array:
    """Compute the similarity of each of n texts on the left to each of m texts on the right.

    Returns:
        The scores in the dtype of the vectors, (n, m).
    """
    both: Array = by_entity(left.has_entity[:, None], right.has_entity[None, :])
    sentence: Array = left.mu @ right.mu.T
    # On a GPU this check would have to wait for earlier operations.
    if isinstance(both, np.ndarray) and not both.any():
        return sentence
    scores: Array = _where(both, left.entity @ right.entity.T, sentence)
    return scores


def _where(condition: Any, one: Any, other: Any) -> Any:
    if isinstance(condition, np.ndarray):
        return np.where(condition, one, other)
    import torch  # it is loaded already, since the arguments are tensors

    return torch.where(condition, one, other)


def _inner(one: Any, other: Any) -> Any:
    """Compute inner products along the last axis."""
    if isinstance(one, np.ndarray):
        return np.einsum("...d,...d->...", one, other)
    return (one * other).sum(dim=-1)
