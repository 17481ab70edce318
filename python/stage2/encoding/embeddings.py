"""Vectors of texts, as numpy arrays."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stage2.utils.arrays import Floats, Ints


@dataclass(frozen=True)
class Embeddings:
    """Vectors of n texts.

    Attributes:
        mu: float32 (n, d), unit length.
        kappa: float32 (n,).
        entity: float32 (n, d), mean of the unit vectors of the text's entities; 0 without any.
        has_entity: bool (n,).
        entity_count: int64 (n,), entities with a token left inside the cut.
    """

    mu: Floats
    kappa: Floats
    entity: Floats
    has_entity: npt.NDArray[np.bool_]
    entity_count: Ints

    def __len__(self) -> int:
        return len(self.mu)

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
            self.mu[index],
            self.kappa[index],
            self.entity[index],
            self.has_entity[index],
            self.entity_count[index],
        )

    def without_entities(self) -> Embeddings:
        """The same texts, to be compared at sentence level only."""
        return Embeddings(
            self.mu,
            self.kappa,
            np.zeros_like(self.entity),
            np.zeros_like(self.has_entity),
            np.zeros_like(self.entity_count),
        )
