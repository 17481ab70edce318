"""The words of the report, by language."""

from __future__ import annotations

from string import Formatter

import pytest

from stage2.report.page_words import PAGE_WORDS
from stage2.report.render import write_report
from stage2.report.terminal import table
from stage2.report.words import CATALOGS, words
from stage2.utils import files
from tests.comparisons import (
    seen_comparison,
)
from tests.report.folders import Make


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_catalogs_agree() -> None:
    english, chinese = CATALOGS["en"], CATALOGS["zh"]
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert placeholders(text) == placeholders(chinese[key]), key


def test_the_pages_words_agree_too() -> None:
    english, chinese = PAGE_WORDS["en"], PAGE_WORDS["zh"]
    assert PAGE_WORDS.keys() == CATALOGS.keys()
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert placeholders(text) == placeholders(chinese[key]), key


def test_a_key_is_filled_with_its_values() -> None:
    say = words("en")
    assert say("epoch_number", number=3) == CATALOGS["en"]["epoch_number"].format(number=3)
    with pytest.raises(KeyError, match="number"):
        say("epoch_number")


def test_no_such_language(make: Make) -> None:
    folder = make()
    with pytest.raises(ValueError, match="'fr'; expected en or zh"):
        write_report(folder, "fr")
    assert not (folder / files.REPORT).exists()
    with pytest.raises(ValueError, match="'fr'"):
        table(seen_comparison(), "fr")
