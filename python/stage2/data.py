"""Data sets and samples over the core; splits."""

from __future__ import annotations

from stage2._core import Annotations, Dataset, Samples
from stage2.splits import split_by_chunk

__all__ = ["Annotations", "Dataset", "Samples", "split_by_chunk"]
