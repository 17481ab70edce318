"""Rows that a reader in Python left out, as the core tells of those that it left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class LeftOut:
    """A row that was left out under --on-error skip, as `stage2._core.Rejected` has it."""

    file: str
    line: int
    column: int
    reason: str
    message: str
    row: str


@dataclass(frozen=True)
class Findings:
    """The rows that a reader in Python left out, with the names of `stage2._core.Loaded`."""

    rejected: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def counts(self) -> Counter[str]:
        """The number of rows for each reason."""
        return Counter(row.reason for row in self.rejected)
