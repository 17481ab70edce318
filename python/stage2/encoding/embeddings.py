"""The vectors of texts, as numpy arrays."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stage2._core import table
from stage2.encoding.vectors import Distance, Vectors
from stage2.utils.arrays import Floats, Ints

_COLUMNS = ("mu", "entity", "has_entity", "kappa", "entity_count")


@dataclass(frozen=True)
class Embeddings(Vectors[npt.NDArray[Any]]):
    """The vectors of n texts, as numpy arrays.

    Attributes:
        mu: float32 (n, d), the vector of each text, of unit length if the model compares by the
            cosine.
        entity: float32 (n, d), the mean of the vectors of a text's entities; 0 without any.
        has_entity: bool (n,), whether a text has a vector of its entities.
        kappa: float32 (n,), the concentration of each text.
        entity_count: int64 (n,), the number of a text's entities with a token that was not cut.
    """

    kappa: Floats
    entity_count: Ints

    @classmethod
    def empty(
        cls,
        n: int,
        width: int,
        folder: Path | None = None,
        distance: Distance | None = None,
    ) -> Embeddings:
        """Return zeros for n texts, in memory or else mapped from unnamed files in a folder."""

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
            distance=distance,
        )

    @property
    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays by their names; each has a row for each text."""
        return {name: getattr(self, name) for name in _COLUMNS}

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Give a table to another library by Arrow, a row for each text. Vectors are lent."""
        return table(self.columns).__arrow_c_stream__(requested_schema)

    def put(self, rows: slice | Ints, found: Embeddings) -> None:
        """Write the vectors of some texts to their rows."""
        for name, column in self.columns.items():
            column[rows] = getattr(found, name)

    def take(self, rows: npt.ArrayLike) -> Embeddings:
        """Return the given rows, in the given order."""
        index = np.asarray(rows)
        parts = {name: column[index] for name, column in self.columns.items()}
        return Embeddings(**parts, distance=self.distance)

    def without_entities(self) -> Embeddings:
        """Return the same vectors without entities, so that texts are compared by sentence."""
        return replace(
            self,
            entity=np.zeros_like(self.entity),
            has_entity=np.zeros_like(self.has_entity),
            entity_count=np.zeros_like(self.entity_count),
        )
