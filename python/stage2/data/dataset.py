"""The core's data sets, samples and annotations."""

from __future__ import annotations

from stage2._core import Annotations, Dataset, Samples
from stage2.utils.errors import BadInputError

__all__ = ["Annotations", "Dataset", "Samples"]


def check_similarity(similarity: str, annotations: Annotations | None) -> None:
    """Check that a similarity by entities has annotations.

    Raises:
        BadInputError: `similarity` is `entity`, and `annotations` is None.
    """
    if similarity == "entity" and annotations is None:
        raise BadInputError("--similarity entity needs entity annotations; give --entities FILE")
