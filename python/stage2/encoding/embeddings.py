"""Vectors of texts, as numpy arrays."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stage2.encoding.vectors import Vectors
from stage2.utils.arrays import Floats, Ints


@dataclass(frozen=True)
class Embeddings(Vectors[npt.NDArray[Any]]):
    """Vectors of n texts, in numpy.

    Attributes:
        mu: float32 (n, d), unit length.
        entity: float32 (n, d), mean of the unit vectors of the text's entities; 0 without any.
        has_entity: bool (n,).
        kappa: float32 (n,).
        entity_count: int64 (n,), entities with a token left inside the cut.
    """

    kappa: Floats
    entity_count: Ints

    @classmethod
    def empty(cls, n: int, width: int, folder: Path | None = None) -> Embeddings:
        """Zeros for n texts, in memory or, given a folder, in nameless files there."""

        def zeros(shape: tuple[int, ...]) -> Floats:
            if folder is None or not n:
                return np.zeros(shape, np.float32)
            with tempfile.TemporaryFile(dir=folder) as file:
                return np.memmap(file, np.float32, "w+", shape=shape)

        return cls(
            mu=zeros((n, width)),
            kappa=np.zeros(n, np.float32),
            entity=zeros((n, width)),
            has_entity=np.zeros(n, np.bool_),
            entity_count=np.zeros(n, np.int64),
        )

    def put(self, rows: slice | Ints, found: Embeddings) -> None:
        """Write the vectors of some texts to their rows."""
        for field in fields(self):
            getattr(self, field.name)[rows] = getattr(found, field.name)

    def take(self, rows: npt.ArrayLike) -> Embeddings:
        """Select the given rows, in the given order."""
        index = np.asarray(rows)
        return Embeddings(
            **{field.name: getattr(self, field.name)[index] for field in fields(self)}
        )

    def without_entities(self) -> Embeddings:
        """The same texts, to be compared at sentence level only."""
        return replace(
            self,
            entity=np.zeros_like(self.entity),
            has_entity=np.zeros_like(self.has_entity),
            entity_count=np.zeros_like(self.entity_count),
        )
