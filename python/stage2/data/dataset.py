"""Data sets and samples over the core."""

from __future__ import annotations

from stage2._core import Annotations, Dataset, Samples
from stage2.utils.errors import BadInputError

__all__ = ["Annotations", "Dataset", "Samples"]


def check_similarity(similarity: str, annotations: Annotations | None) -> None:
    """Raise BadInputError where `entity` is asked for and there are no annotations."""
    if similarity == "entity" and annotations is None:
        raise BadInputError("--similarity entity needs entity annotations; give --entities FILE")
