"""Words in texts: whether a text has those of an answer, with the symbols that carry meaning."""

from __future__ import annotations

import re
import unicodedata

from stage2._core import text_key

# Punctuation that is part of a word or a number: C#, 5%, AT&T, A*.
_PART_OF_WORDS = "#%‰&@*"
# A dash before a number is its sign, a dot or comma within one is part of it, and a dot may begin
# a word (.NET); elsewhere they only stand between words.
_BETWEEN_WORDS = re.compile(
    r"(?<=\w)-|-(?!\d)"
    r"|(?<=\d)[.,](?!\d)|(?<=[^\s\d])[.,]|\.(?!\w)|(?<!\d),"
)


class _Words(dict[int, int | str]):
    """A table for `str.translate`: what stays; all dashes as one; all else is a space."""

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
    """The words of a text, one space apart, with the symbols that carry meaning."""
    return " ".join(_BETWEEN_WORDS.sub(" ", text_key(text).translate(_WORDS)).split())


def has_words(text: str, wanted: str) -> bool:
    """Tell whether a text has the wanted words, whole ones; both as `words` gives them.

    In a script that puts no spaces between words they are found anywhere. C is not found in C++,
    nor 2 in -2.
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
    """Tell whether the character before the first of a word makes another word or number of it."""
    if _in_word(char):
        return _in_word(first)
    return first.isdigit() and char != "" and char in "+-.,"


def _goes_on_after(last: str, char: str) -> bool:
    """Tell whether the character behind the last of a word makes another word or number of it."""
    if _in_word(char):
        return _in_word(last)
    return _in_word(last) and char != "" and char in (".," if last.isdigit() else "+#")


def _in_word(char: str) -> bool:
    """Tell whether a character is of a word in a script that puts spaces between words."""
    if not char or unicodedata.category(char)[0] not in "LMN":
        return False
    return not char.isalpha() or char.isascii() or char.islower() or char.isupper()
