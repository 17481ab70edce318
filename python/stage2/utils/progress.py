"""Long work calls this to show how far it is. The caller chooses how it is shown."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Shows how far a piece of work is."""

    def __call__(self, done: int, total: int, tokens: int = 0, /) -> None:
        """Show it.

        Args:
            done: units of the work that are done.
            total: units in all.
            tokens: tokens of the texts that are done, where the units are texts.
        """
