"""The words of texts, with the symbols that carry meaning, and the search for an answer's words."""

from __future__ import annotations

import re
import unicodedata

from stage2._core import text_key

# Punctuation that is part of a word or a number: C#, 5%, AT&T, A*.
_PART_OF_WORDS = "#%‰&@*"
# This finds dashes, dots and commas that only separate words. It does not find the sign of a
# number, a dot or comma within a number, or a dot at the start of a word (.NET).
_BETWEEN_WORDS = re.compile(
    r"(?<=\w)-|-(?!\d)"
    r"|(?<=\d)[.,](?!\d)|(?<=[^\s\d])[.,]|\.(?!\w)|(?<!\d),"
)


class _Words(dict[int, int | str]):
    """A table for `str.translate` that keeps words, unifies dashes, and makes the rest spaces."""

    def __missing__(self, code: int) -> int | str:
        char = chr(code)
        category = unicodedata.category(char)
        if category == "Pd" or char == "\N{MINUS SIGN}":
            found: int | str = "-"
        elif category[0] in "LMNS" or char in _PART_OF_WORDS or char in ".,":
            found = code
        else:
            found = " "
        self[code] = found
        return found


_WORDS = _Words()


def words(text: str) -> str:
    """Return the words of a text, with single spaces between them.

    Symbols that carry meaning stay: those of C#, 5%, -2 and 1.5.
    """
    return " ".join(_BETWEEN_WORDS.sub(" ", text_key(text).translate(_WORDS)).split())


def has_words(text: str, wanted: str) -> bool:
    """Return whether a text contains the wanted words as whole words.

    C is not found in C++, and 2 is not found in -2. In a script without spaces between words, the
    words are found anywhere.

    Args:
        text: a text as `words` returns it.
        wanted: words as `words` returns them. Empty words are never found.
    """
    if not wanted:
        return False
    start = text.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        before, after = text[max(0, start - 1) : start], text[end : end + 1]
        if not (_goes_on_before(wanted[0], before) or _goes_on_after(wanted[-1], after)):
            return True
        start = text.find(wanted, start + 1)
    return False


def _goes_on_before(first: str, char: str) -> bool:
    """Return whether the character before a word belongs to the word or number."""
    if _in_word(char):
        return _in_word(first)
    return first.isdigit() and char != "" and char in "+-.,"


def _goes_on_after(last: str, char: str) -> bool:
    """Return whether the character after a word belongs to the word or number."""
    if _in_word(char):
        return _in_word(last)
    return _in_word(last) and char != "" and char in (".," if last.isdigit() else "+#")


def _in_word(char: str) -> bool:
    """Return whether a character is part of a word in a script with spaces between words."""
    if not char or unicodedata.category(char)[0] not in "LMN":
        return False
    return not char.isalpha() or char.isascii() or char.islower() or char.isupper()
