"""The words of the report in each language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stage2.report.words_en import EN
from stage2.report.words_zh import ZH

# Every catalog has the same keys, and the same placeholders for each key.
CATALOGS: dict[str, dict[str, str]] = {"en": EN, "zh": ZH}

Words = Callable[..., str]


def words(language: str) -> Words:
    """Return a function that turns a key and the values of its placeholders into text.

    Raises:
        ValueError: there is no catalog of that language.
    """
    if language not in CATALOGS:
        raise ValueError(f"language is {language!r}; expected {' or '.join(CATALOGS)}")
    catalog = CATALOGS[language]

    def say(key: str, **values: Any) -> str:
        return catalog[key].format(**values)

    return say
