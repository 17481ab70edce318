"""Where the names of a list stand in a text."""

from __future__ import annotations

import itertools
import unicodedata
from functools import lru_cache

import regex

# Scripts that put no spaces between words, and Hangul, which writes particles onto names.
UNSPACED = (
    "Han Hiragana Katakana Bopomofo Hangul Yi Thai Lao Khmer Myanmar Tai_Tham Tai_Le New_Tai_Lue "
    "Tai_Viet Ahom Tibetan Balinese Javanese"
).split()

_UNSPACED = regex.compile("[" + "".join(rf"\p{{scx={script}}}" for script in UNSPACED) + "]")
_WORD = regex.compile(r"[\p{Alphabetic}\p{N}_]")
_GRAPHEME = regex.compile(r"\X")

Unit = tuple[str, int, int]


def find_names(
    names: list[str], text: str, ignore_case: bool, form: str
) -> list[tuple[int, int, int]]:
    """Try every part of the text, from the left, the longest first.

    Returns:
        Start, end and the index of the name, in code points.
    """
    numbers: dict[str, int] = {}
    for i, name in enumerate(names):
        numbers.setdefault(key(name, ignore_case, form), i)
    cut = units(text, ignore_case, form)
    at, found = 0, []
    while at < len(cut):
        for end in range(len(cut), at, -1):
            part = "".join(prepared for prepared, _, _ in cut[at:end])
            places = cut[at][1], cut[end - 1][2]
            if part in numbers and all(is_boundary(text, place) for place in places):
                found.append((*places, numbers[part]))
                at = end
                break
        else:
            at += 1
    return found


def key(name: str, ignore_case: bool, form: str) -> str:
    """Return what a name is found by: its units without white space at the ends."""
    cut = [prepared for prepared, _, _ in units(name, ignore_case, form)]
    while cut and cut[0] == " ":
        del cut[0]
    while cut and cut[-1] == " ":
        del cut[-1]
    return "".join(cut)


def units(text: str, ignore_case: bool, form: str) -> list[Unit]:
    """Cut a text into the parts that are normalised by themselves, with their places."""
    cuts = [i for i in range(len(text)) if i == 0 or starts_unit(text[i], form)] + [len(text)]
    found: list[Unit] = []
    for start, end in itertools.pairwise(cuts):
        part = text[start:end]
        if not (part.isspace() and len(part) == 1):
            found.append((prepared(part, ignore_case, form), start, end))
        elif found and found[-1][0] == " ":
            found[-1] = (" ", found[-1][1], end)
        else:
            found.append((" ", start, end))
    return found


def prepared(part: str, ignore_case: bool, form: str) -> str:
    def normal(text: str) -> str:
        return text if form == "none" else unicodedata.normalize(form.upper(), text)

    return normal("".join(map(fold, normal(part)))) if ignore_case else normal(part)


def fold(char: str) -> str:
    """Fold a character to one character: Python has the full folding, which may give several."""
    full = char.casefold()
    if len(full) == 1:
        return full
    return char.lower() if len(char.lower()) == 1 else char


def starts_unit(char: str, form: str) -> bool:
    """Tell whether a character never joins the text before it."""
    if form == "none":
        return True
    first = unicodedata.normalize(form.upper().replace("C", "D"), char)[0]
    return not unicodedata.combining(first) and first not in composing()


@lru_cache
def composing() -> frozenset[str]:
    """Return the characters that compose with one before them."""
    found = {chr(code) for code in [*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)]}
    for char in map(chr, range(0x110000)):
        parts = unicodedata.decomposition(char).split()
        is_pair = len(parts) == 2 and not parts[0].startswith("<")
        if is_pair and unicodedata.normalize("NFC", char) == char:
            found.add(chr(int(parts[1], 16)))
    return frozenset(found)


def is_boundary(text: str, at: int) -> bool:
    if at in (0, len(text)):
        return True
    if at not in {match.start() for match in _GRAPHEME.finditer(text)}:
        return False
    carriers = [c for c in text[:at] if not unicodedata.category(c).startswith("M")]
    return not (carriers and is_spaced(carriers[-1]) and is_spaced(text[at]))


def is_spaced(char: str) -> bool:
    return bool(_WORD.match(char)) and not _UNSPACED.match(char)
