"""Excerpts of long texts for the page, which say how much they leave out.

So the page stays small enough to open. The files of the run have the whole texts.
"""

from __future__ import annotations

from collections.abc import Iterable

# The largest numbers of characters: of an id or a name, of a question in a table, and of a text.
NAME = 100
LINE = 300
TEXT = 2_000

# The largest numbers of rows in the table of questions, and of contexts in a case.
ROWS = 20_000
CONTEXTS = 30

Pieces = list[tuple[str, bool]]


def cut(text: str, most: int, left_out: str) -> str:
    """Cut a text that is too long, and add how much is left out.

    Args:
        text: the whole text.
        most: the largest number of characters that are kept.
        left_out: a sentence with a place for `{count}`, the number of characters left out.
    """
    if len(text) <= most:
        return text
    return f"{text[:most]}… [{left_out.format(count=f'{len(text) - most:,}')}]"


def cut_pieces(pieces: Iterable[tuple[str, bool]], most: int, left_out: str) -> Pieces:
    """Cut a text that is given in pieces, as `cut` does.

    Args:
        pieces: the pieces, each with whether it is an entity.
        most: the largest number of characters that are kept.
        left_out: a sentence with a place for `{count}`, the number of characters left out.
    """
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
