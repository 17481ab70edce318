"""The similarity of two texts: by their entities if both have one, else by their sentences.

By entities, it is the mean of the cosines between each entity of one text and each entity of the
other. This mean equals the inner product of the means of the unit vectors. So every similarity is
one inner product, of `entity` or of `mu`. A model that compares by a distance has the negative of
the distance in its place; by entities, of that between their means.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from stage2._core import cross_similarities
from stage2.encoding.vectors import Array, Distance, Vectors
from stage2.utils.arrays import Floats

# A similarity is written, ranked and compared at this precision. The products of torch depend on
# the number of threads, but only below this precision. Equal texts have equal vectors. So no noise
# breaks a tie.
DECIMALS = 6

# The order of the norm whose value is the distance.
_ORDERS: Mapping[Distance, float] = {"euclidean": 2.0, "manhattan": 1.0}


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


def common_distance(left: Vectors[Any], right: Vectors[Any]) -> Distance | None:
    """Return the distance by which both sides are compared.

    Raises:
        ValueError: each is compared by another.
    """
    if left.distance != right.distance:
        raise ValueError(
            f"vectors that are compared by {left.distance or 'inner product'} and by "
            f"{right.distance or 'inner product'}; expected vectors of one model"
        )
    return left.distance


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
    one, other = (_where(both, side.entity, side.mu) for side in (left, right))
    scores: Array = _of_pairs(one, other, common_distance(left, right))
    return scores


def cross_similarity(left: Vectors[Array], right: Vectors[Array]) -> Array:
    """Compute the similarity of each of n texts on the left to each of m texts on the right.

    Returns:
        The scores in the dtype of the vectors, (n, m).
    """
    both: Array = by_entity(left.has_entity[:, None], right.has_entity[None, :])
    distance = common_distance(left, right)
    sentence: Array = _of_all(left.mu, right.mu, distance)
    # On a GPU this check would have to wait for earlier operations.
    if isinstance(both, np.ndarray) and not both.any():
        return sentence
    scores: Array = _where(both, _of_all(left.entity, right.entity, distance), sentence)
    return scores


def _where(condition: Any, one: Any, other: Any) -> Any:
    if isinstance(condition, np.ndarray):
        return np.where(condition, one, other)
    import torch  # it is loaded already, since the arguments are tensors

    return torch.where(condition, one, other)


def _of_pairs(one: Any, other: Any, distance: Distance | None) -> Any:
    """Compute inner products, or distances below 0, along the last axis."""
    if isinstance(one, np.ndarray):
        if distance is None:
            return np.einsum("...d,...d->...", one, other)
        apart = one - other
        if distance == "manhattan":
            return -np.abs(apart, out=apart).sum(axis=-1)
        return -np.sqrt(np.einsum("...d,...d->...", apart, apart))
    if distance is None:
        return (one * other).sum(dim=-1)
    import torch  # it is loaded already, since the arguments are tensors

    # The gradient at a distance of 0 is 0.
    return -torch.linalg.vector_norm(one - other, ord=_ORDERS[distance], dim=-1)


def _of_all(one: Any, other: Any, distance: Distance | None) -> Any:
    """Compute the same for each row of one side with each row of the other: (n, m)."""
    if distance is None:
        return one @ other.T
    if isinstance(one, np.ndarray):
        left, right = (np.ascontiguousarray(side, np.float32) for side in (one, other))
        return cross_similarities(left, right, distance).astype(one.dtype)
    import torch  # it is loaded already, since the arguments are tensors

    # Products in place of differences would be inexact for vectors that are near to each other.
    exact = "donot_use_mm_for_euclid_dist"
    return -torch.cdist(one, other, p=_ORDERS[distance], compute_mode=exact)
