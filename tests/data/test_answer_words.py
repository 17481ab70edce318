"""The search for the words of an answer in a text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2.data.answer_words import has_words, words


@pytest.mark.parametrize(
    ("answer", "text", "inside"),
    [
        ("308", "gave up just 308 points", True),
        ("308", "gave up 3080 points", False),
        ("308", "gave up (308).", True),
        ("宝藏", "他找到了宝藏。", True),
        ("Ω", "ω and α", True),
        ("Elba", "It lies off ELBA.", True),
        ("Elba", "Elbasan is far", False),
        ("Elba", "an Elba-based firm", True),
        ("Monte-Cristo", "the Count of Monte Cristo", True),
        ("Rock ’n’ Roll", "It was 'Rock 'n' Roll'!", True),
        ("C++", "C++ was made", True),
        ("C++", "It was made for C++.", True),
        ("C++", "C# was made", False),
        ("C", "C++ or C# was made", False),
        ("C", "it was made in C.", True),
        ("-2", "the charge is +2", False),
        ("-2", "the charge is −2.", True),
        ("-2", "pages 1-2", False),
        ("2", "pages 1-2", True),
        ("2", "the charge is -2", False),
        ("5", "it costs $5", True),
        ("$5", "it costs €5", False),
        ("5%", "5 apples", False),
        ("3", "pi is 3.14", False),
        ("3.14", "pi is 3,14", False),
        ("14", "pi is 3.14", False),
        ("1999", "It was in 1999. Then", True),
        ("1,000", "some 1,000, or more", True),
        (".NET", "the net", False),
        (".NET", "It runs on .NET", True),
        ("AT&T", "made by at&t", True),
        ("x²", "x2", False),
        ("x", "x²", False),
        ("café", "the cafe\u0301 in town", True),
        ("...", "a text", False),
        ("", "a text", False),
    ],
)
def test_words_are_found_whole_with_their_symbols(answer: str, text: str, inside: bool) -> None:
    assert has_words(words(text), words(answer)) is inside


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_text_between_spaces_has_its_own_words(text: str, other: str) -> None:
    wanted = words(text)
    assert has_words(f"{words(other)} {wanted} {words(other)}", wanted) is bool(wanted)
    assert words(unicodedata.normalize("NFD", text)) == wanted
    assert words(f" {text}\n") == wanted
