"""The vectors of texts, in the one shape that is compared, searched and trained with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from stage2.utils.arrays import Floats

if TYPE_CHECKING:
    # A search of numpy arrays does without torch, which takes seconds to import.
    from torch import Tensor

Array = TypeVar("Array", npt.NDArray[Any], "Tensor")


@dataclass(frozen=True)
class Vectors(Generic[Array]):
    """The vectors of n texts, as arrays of numpy or tensors of torch.

    Attributes:
        mu: float (n, d), the vector of each text.
        entity: float (n, d), the mean of the unit vectors of its entities; 0 without any.
        has_entity: bool (n,).
    """

    mu: Array
    entity: Array
    has_entity: Array

    def __len__(self) -> int:
        return len(self.mu)

    def at(self, rows: Any) -> Vectors[Array]:
        """The vectors of some rows: a slice, or whole numbers in an array of any shape."""
        return Vectors(self.mu[rows], self.entity[rows], self.has_entity[rows])

    def in_float64(self: Vectors[npt.NDArray[Any]]) -> Vectors[npt.NDArray[Any]]:
        """The same in float64, as scores are summed; entities only where there are some."""
        entity = self.entity.astype(np.float64) if self.has_entity.any() else self.entity
        return Vectors(self.mu.astype(np.float64), entity, self.has_entity)


def without_entities(mu: Floats) -> Vectors[npt.NDArray[Any]]:
    """The vectors of texts that are compared by `mu`, float32 (n, d), alone."""
    return Vectors(mu, mu, np.zeros(len(mu), np.bool_))
