"""Which texts are the same."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def text_key(text: str) -> str:
    """Return what a text says without its white space, composition, case and width.

    Symbols and punctuation stay.
    """
    usual = "".join(map(_in_usual_width, text))
    # Each letter alone: `str.lower` of a whole word makes a final sigma of its last letter.
    lower = "".join(char.lower() for char in usual).replace("ς", "σ")
    return " ".join(unicodedata.normalize("NFC", lower).split())


def _in_usual_width(char: str) -> str:
    form, _, usual = unicodedata.decomposition(char).partition(" ")
    return chr(int(usual, 16)) if form in ("<wide>", "<narrow>") else char


def same_text(texts: Sequence[str]) -> list[int]:
    """Compare each text with all; return the index of the first text that is the same."""
    keys = [text_key(text) for text in texts]
    return [keys.index(key) for key in keys]


def shared_truths(
    questions: Sequence[str],
    truths: Sequence[Sequence[T]],
    same: Callable[[T, T], bool],
) -> list[list[T]]:
    """Return each row's ground truths, then those that other rows of the same question add."""
    found = []
    for question, own in zip(questions, truths, strict=True):
        shared = list(own)
        for other, theirs in zip(questions, truths, strict=True):
            if text_key(other) == text_key(question):
                for truth in theirs:
                    if not any(same(truth, known) for known in shared):
                        shared.append(truth)
        found.append(shared)
    return found


def numbered(keys: Sequence[T]) -> tuple[list[int], list[int]]:
    """Return the first place of each different key, and the number of each key among these."""
    different: list[T] = []
    for key in keys:
        if key not in different:
            different.append(key)
    return [[*keys].index(key) for key in different], [different.index(key) for key in keys]


def view_texts(views: bytes, buffers: Sequence[bytes]) -> list[str]:
    """Read the string views of Arrow: 16 bytes a text, as its columnar format describes them."""
    found = []
    for start in range(0, len(views), 16):
        view = views[start : start + 16]
        length, buffer, offset = (
            int.from_bytes(view[at : at + 4], "little", signed=True) for at in (0, 8, 12)
        )
        if length <= 12:
            assert view[4 + length :].strip(b"\0") == b""
            found.append(view[4 : 4 + length].decode())
            continue
        text = buffers[buffer][offset : offset + length]
        assert len(text) == length
        assert view[4:8] == text[:4]
        found.append(text.decode())
    return found
