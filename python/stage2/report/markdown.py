"""Tables, as Markdown and as plain text, and what makes foreign text safe in them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_SPECIAL = frozenset("\\`*_{}[]()#+!|~$")


def escape(text: object) -> str:
    """Make foreign text show as it is, on one line, in a Markdown table cell.

    White space becomes single spaces; what is not printable, such as control characters and marks
    that reverse the reading direction, becomes U+FFFD.
    """
    return "".join(_escaped(char) for char in " ".join(str(text).split()))


def table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: bool = True) -> str:
    """Write a Markdown table; cells are Markdown already.

    Args:
        header: names of the columns.
        rows: cells.
        numbers: align all columns but the first to the right.
    """
    rule = ["---", *(["---:" if numbers else "---"] * (len(header) - 1))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))


def aligned(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Write rows in columns for a terminal: the first to the left, the others to the right."""
    widths = [max(display_width(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [first + " " * (widths[0] - display_width(first))]
        cells += [
            " " * (width - display_width(cell)) + cell
            for cell, width in zip(others, widths[1:], strict=True)
        ]
        lines.append((indent + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def display_width(text: str) -> int:
    """Columns that text takes in a terminal: two for an East Asian wide character."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def _escaped(char: str) -> str:
    if char in _ENTITIES:
        return _ENTITIES[char]
    if char in _SPECIAL:
        return f"\\{char}"
    return char if char.isprintable() else "\ufffd"
