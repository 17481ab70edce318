"""Text in aligned columns, for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence


def aligned(rows: Sequence[Sequence[str]], left: Collection[int]) -> list[str]:
    """Lines of cells in columns: words to the left, numbers to the right.

    Args:
        rows: of as many cells each, the header among them.
        left: the columns of words; negative ones count from the last.
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
    """Columns that text takes in a terminal: two for an East Asian wide character."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
