"""The table, the report and the card say what was paid elsewhere, in both languages."""

from __future__ import annotations

from typing import Any

import pytest

from stage2.report.guard import elsewhere, guards_of, rows, sentences, texts
from stage2.report.terminal import table
from stage2.report.words import words
from tests.comparisons import held_out_comparison

ENTRY: dict[str, Any] = {
    "name": "a|b", "num_queries": 30, "groups": 28, "chunks": 120, "chose": 30, "before": 0.8,
    "after": 0.7, "difference": -0.1, "low": -0.2, "high": -0.01, "p": 0.01, "margin": 0.01,
    "least_groups": 299, "unchanged": False, "verdict": "worse", "unknown_share": 0.0,
}  # fmt: skip


def test_a_sentence_has_all_numbers_and_says_what_it_cannot() -> None:
    said = sentences(ENTRY)
    assert said["en"] == (
        "Elsewhere, worse: guard a|b, 30 questions that chose nothing, over its whole corpus: MRR "
        "0.800 → 0.700, difference −0.100, one-sided 95% ends −0.200 and −0.010, margin 0.01."
    )
    assert "在别处变差：守护集 a|b，30 个未参与选择的问题" in said["zh"]
    few = sentences(ENTRY | {"verdict": "undecided"})
    assert few["en"].endswith("28 independent questions cannot show a loss to be below this "
                              "margin: it takes 299 or more.")  # fmt: skip
    assert "至少需要 299 个" in few["zh"]
    unread = sentences(ENTRY | {"verdict": "undecided", "unknown_share": 0.4})
    assert "40.0% of its tokens are unknown" in unread["en"]
    same = sentences(ENTRY | {"unchanged": True, "verdict": "not_worse"})
    assert "the model is the one from before" in same["en"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_stands_in_table_and_report(language: str) -> None:
    comparison = held_out_comparison() | {"guards": [ENTRY | {"text": sentences(ENTRY)}]}
    say = words(language)
    (row,) = rows(comparison, say)
    assert row[2:5] == ["0.800", "0.700", "−0.100"]
    markdown = elsewhere(comparison, say)
    assert "| a\\|b | 30 | 0.800 | 0.700 |" in markdown
    assert table(comparison, language).splitlines()[-1] == texts(comparison, language)[0].replace(
        "→", "->"
    ).replace("−", "-")
    assert not guards_of(held_out_comparison())
