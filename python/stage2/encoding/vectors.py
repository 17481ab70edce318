"""The vectors of texts, in the form that is used for comparison, search and training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from stage2.utils.arrays import Floats

if TYPE_CHECKING:
    # A search of numpy arrays needs no torch, which takes seconds to import.
    from torch import Tensor

Distance = Literal["euclidean", "manhattan"]
# What vectors can be compared by. Those that are compared by the cosine have unit length, so that
# the inner product serves for it too.
Similarity = Literal["cosine", "dot", "euclidean", "manhattan"]
_DISTANCES: Mapping[Similarity, Distance] = {"euclidean": "euclidean", "manhattan": "manhattan"}

Array = TypeVar("Array", npt.NDArray[Any], "Tensor")


@dataclass(frozen=True)
class Vectors(Generic[Array]):
    """The vectors of n texts, as arrays of numpy or tensors of torch.

    Attributes:
        mu: float (n, d), the vector of each text.
        entity: float (n, d), the mean of the vectors of a text's entities; 0 without any.
        has_entity: bool (n,), whether a text has a vector of its entities.
        distance: the distance by which they are compared; None means by inner product.
    """

    mu: Array
    entity: Array
    has_entity: Array
    distance: Distance | None = field(default=None, kw_only=True)

    def __len__(self) -> int:
        return len(self.mu)

    def at(self, rows: Any) -> Vectors[Array]:
        """Return the vectors of some rows: a slice, or an array of integers of any shape."""
        parts = self.mu[rows], self.entity[rows], self.has_entity[rows]
        return Vectors(*parts, distance=self.distance)

    def in_float64(self: Vectors[npt.NDArray[Any]]) -> Vectors[npt.NDArray[Any]]:
        """Return the same in float64, in which scores are summed.

        The vectors of entities are cast only if there are any.
        """
        entity = self.entity.astype(np.float64) if self.has_entity.any() else self.entity
        mu = self.mu.astype(np.float64)
        return Vectors(mu, entity, self.has_entity, distance=self.distance)


def without_entities(mu: Floats) -> Vectors[npt.NDArray[Any]]:
    """Return the vectors of texts that are compared only by `mu`, float32 (n, d)."""
    return Vectors(mu, mu, np.zeros(len(mu), np.bool_))


def distance_of(similarity: Similarity) -> Distance | None:
    """Return the distance that a similarity is; None for an inner product."""
    return _DISTANCES.get(similarity)
