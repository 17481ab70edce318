"""The escaping of text in Markdown."""

from __future__ import annotations

import re

import pytest

from stage2.report.markdown import escape
from stage2.report.words import CATALOGS
from tests.report.folders import Make, record, rows_of, sections


@pytest.mark.parametrize("language", CATALOGS)
def test_text_from_data_stays_text(make: Make, language: str) -> None:
    run = record()
    run["data"]["rejected"] = {"a|b\n`c` <script>&[x](y)\u202e": 3}
    run["data"]["files"]["qa"]["path"] = "/data/<img src=x>|\n# *b*.json"
    run["cpu"] = "C|P\u2028U"
    report = "".join(sections(make(run=run), language).values())
    assert "<" not in report
    assert "a\\|b \\`c\\` &lt;script&gt;&amp;\\[x\\](y)\ufffd" in report
    assert "&lt;img src=x&gt;\\| \\# \\*b\\*.json" in report
    assert "| C\\|P U |" in report
    for lines in re.findall(r"(?:^\|.*\n)+", report, re.MULTILINE):
        assert len({len(row) for row in rows_of(lines)}) == 1


@pytest.mark.parametrize("char", ["\x00", "\x1b", "\u202e", "\ud800", "\u2066"])
def test_what_cannot_be_shown_is_replaced(char: str) -> None:
    assert escape(f"a{char}b") == "a\ufffdb"
