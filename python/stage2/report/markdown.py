"""Markdown tables, and the escaping of text in them."""

from __future__ import annotations

from collections.abc import Sequence

from stage2.report.words import Words

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_SPECIAL = frozenset("\\`*_[]|~#$")


def escape(text: object) -> str:
    """Escape a text so that a Markdown table cell shows it literally and on one line.

    White space becomes single spaces. Characters that are not printable, such as control characters
    and marks of the reading direction, become U+FFFD.
    """
    return "".join(_escaped(char) for char in " ".join(str(text).split()))


def table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: bool = True) -> str:
    """Write a Markdown table.

    Args:
        header: the names of the columns, as Markdown.
        rows: the cells, as Markdown. A short row is filled with empty cells.
        numbers: whether all columns except the first are aligned to the right.
    """
    rule = ["---", *(["---:" if numbers else "---"] * (len(header) - 1))]
    filled = ([*row, *[""] * (len(header) - len(row))] for row in rows)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *filled))


def facts(rows: Sequence[tuple[str, str]], say: Words) -> str:
    """Write a table of names and values."""
    return table([say("item"), say("value")], rows)


def not_run(say: Words, command: str) -> str:
    """Write a table that names the command which fills it."""
    return facts([(say("not_run", command=f"stage2 {command}"), say("none"))], say)


def quote(text: str) -> str:
    """Write a line as a Markdown quote."""
    return f"> {text}"


def _escaped(char: str) -> str:
    if char in _ENTITIES:
        return _ENTITIES[char]
    if char in _SPECIAL:
        return f"\\{char}"
    return char if char.isprintable() else "\ufffd"
