"""Markdown tables, and what makes foreign text safe in them."""

from __future__ import annotations

from collections.abc import Sequence

from stage2.report.words import Words

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_SPECIAL = frozenset("\\`*_[]|~#$")


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
        rows: cells; a short row ends in empty ones.
        numbers: align all columns but the first to the right.
    """
    rule = ["---", *(["---:" if numbers else "---"] * (len(header) - 1))]
    filled = ([*row, *[""] * (len(header) - len(row))] for row in rows)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *filled))


def facts(rows: Sequence[tuple[str, str]], say: Words) -> str:
    """Write names and their values."""
    return table([say("item"), say("value")], rows)


def not_run(say: Words, command: str) -> str:
    """Write a table that says which command fills it."""
    return facts([(say("not_run", command=f"stage2 {command}"), say("none"))], say)


def quote(text: str) -> str:
    """Set a line apart."""
    return f"> {text}"


def _escaped(char: str) -> str:
    if char in _ENTITIES:
        return _ENTITIES[char]
    if char in _SPECIAL:
        return f"\\{char}"
    return char if char.isprintable() else "\ufffd"
