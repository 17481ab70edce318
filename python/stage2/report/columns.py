"""Text in aligned columns, for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence


def aligned(rows: Sequence[Sequence[str]], left: Collection[int]) -> list[str]:
    """Align cells in columns, words to the left and numbers to the right.

    Args:
        rows: the header and the other rows, all with the same number of cells.
        left: the indices of the columns of words; negative ones count from the last.

    Returns:
        A line for each row.
    """
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    words = {place % len(widths) for place in left}
    lines = []
    for row in rows:
        cells = []
        for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - display_width(cell))
            cells.append(cell + space if place in words else space + cell)
        lines.append("  ".join(cells).rstrip())
    return lines


def display_width(text: str) -> int:
    """Return the width of a text in a terminal. An East Asian wide character has width two."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
