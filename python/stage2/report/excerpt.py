"""Foreign texts as the page shows them: no longer than a person reads, and what is left out told.

A page stays small enough to open, whatever the texts are; the files beside it have them whole.
"""

from __future__ import annotations

from collections.abc import Iterable

# Characters of an id or a name, of a question in a table, and of a text that is read.
NAME = 100
LINE = 300
TEXT = 2_000

# Rows of the table of questions, and contexts of a case.
ROWS = 20_000
CONTEXTS = 30

Pieces = list[tuple[str, bool]]


def cut(text: str, most: int, left_out: str) -> str:
    """The beginning of a text, and how much of it is left out, if any.

    Args:
        text: the whole.
        most: characters that are kept.
        left_out: how it is said, with a place for `{count}`.
    """
    if len(text) <= most:
        return text
    return f"{text[:most]}… [{left_out.format(count=f'{len(text) - most:,}')}]"


def cut_pieces(pieces: Iterable[tuple[str, bool]], most: int, left_out: str) -> Pieces:
    """The same of a text in pieces, each with whether it is an entity."""
    kept: Pieces = []
    room, rest = most, 0
    for piece, entity in pieces:
        if room and (shown := piece[:room]):
            kept.append((shown, entity))
        rest += max(0, len(piece) - room)
        room = max(0, room - len(piece))
    if rest:
        kept.append((f"… [{left_out.format(count=f'{rest:,}')}]", False))
    return kept
