"""Text in aligned columns."""

from __future__ import annotations

import unicodedata

import pytest

from stage2.report.columns import display_width
from stage2.report.terminal import table
from stage2.report.words import CATALOGS
from tests.comparisons import held_out_comparison


@pytest.mark.parametrize("language", CATALOGS)
def test_columns_of_the_table_stand_below_each_other(language: str) -> None:
    lines = table(held_out_comparison(), language).split("\n")
    # The column of MRR ends with its bracket. Wide characters count twice.
    closing = ")" if language == "en" else "）"
    ends = {display_width(lines[0][: lines[0].rindex(closing) + 1])}
    ends |= {display_width(line[: line.rindex(")") + 1]) for line in lines[1:]}
    assert len(ends) == 1


def test_width_in_a_terminal() -> None:
    assert display_width("ab") == 2
    assert display_width("测试") == 4
    assert display_width(unicodedata.normalize("NFD", "é")) == 1
