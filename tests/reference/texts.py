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
