"""The types of the functions that long work calls to report its progress."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
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


class Bar(Protocol):
    """A function that opens a bar for each piece of a work."""

    def __call__(self, what: str, unit: str, /) -> AbstractContextManager[Progress | None]:
        """Open a bar, and yield the function that updates it, or None if nothing is shown.

        Args:
            what: what is done.
            unit: the unit in which progress is counted.
        """


def no_bar(_what: str, _unit: str, /) -> AbstractContextManager[None]:
    """Open no bar."""
    return nullcontext()
