"""The type of the function that long work calls to report its progress."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A function that shows the progress of a piece of work. The caller of the work provides it."""

    def __call__(self, done: int, total: int, tokens: int = 0, /) -> None:
        """Show the progress.

        Args:
            done: the number of units that are done.
            total: the number of all units.
            tokens: the number of tokens in the texts that are done, if the units are texts.
        """
