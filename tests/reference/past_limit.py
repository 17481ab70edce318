"""The answers that lie past a limit of words, slow and plain."""

from __future__ import annotations

from collections.abc import Sequence


def is_past(wanted: Sequence[str], truths: Sequence[Sequence[str]], room: int) -> bool | None:
    """Return whether the words of an answer stand only behind the first `room` words of texts.

    Where they begin before that and end behind it, they count only if they stand nowhere else.

    Args:
        wanted: the words of the answer.
        truths: the words of each ground truth.
        room: how many words of each are read.

    Returns:
        None if no text has the words.
    """
    found = []
    for text in truths:
        places = [
            place
            for place in range(len(text) - len(wanted) + 1)
            if wanted and list(text[place : place + len(wanted)]) == list(wanted)
        ]
        if places:
            read = any(place + len(wanted) <= room for place in places)
            found.append(not read and any(place >= room for place in places))
    return all(found) if found else None
