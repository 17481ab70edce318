"""Data sets and samples over the core."""

from __future__ import annotations

from stage2._core import Annotations, Dataset, Samples

__all__ = ["Annotations", "Dataset", "Samples"]
