"""The before/after table for a terminal."""

from __future__ import annotations

import pytest

from stage2.report.terminal import table
from stage2.report.words import CATALOGS
from tests.comparisons import (
    held_out_comparison,
    part,
    seen_comparison,
    unknown_comparison,
    with_baselines,
)


@pytest.mark.parametrize("language", CATALOGS)
def test_table_has_a_line_a_set_and_source(language: str) -> None:
    header, *lines = table(held_out_comparison(), language).split("\n")
    assert len(lines) == 5
    assert header.count("Top-") == 3
    for text in ("10.0% -> 60.0% (16.7%)", "0.350 -> 0.550 (0.408)", "20"):
        assert text in lines[0]
    assert "5.0% -> 25.0% (0.1%)" in lines[1]
    assert "21" in lines[3]


def test_table_says_what_training_saw() -> None:
    _, test, _, dev, train, everyone = table(held_out_comparison()).split("\n")
    assert test.endswith("held out")
    assert dev.endswith("chose the model")
    assert train.endswith("saw 21 of 30")
    assert everyone.endswith("saw 21 of 60")


def test_table_warns_where_nothing_was_held_out() -> None:
    assert "Warning" not in table(held_out_comparison())
    assert "Warning: measured on the questions trained on. 35 of 50" in table(seen_comparison())


def test_table_of_models_that_were_named() -> None:
    comparison = unknown_comparison(2)
    comparison["models"][1] = "stage2\n\x1b[31m"
    lines = table(comparison).split("\n")
    assert lines[:2] == ["Before: stage1", "After: stage2\ufffd\ufffd[31m"]
    assert lines[3].endswith("not known")
    assert "Warning: nothing is known to be held out." in lines[4]


def test_table_of_one_model() -> None:
    model, _, line, _ = table(unknown_comparison(1)).split("\n")
    assert model == "Model: stage1"
    assert "10.0% (16.7%)" in line
    assert "->" not in line


def test_english_table_is_ascii() -> None:
    assert table(with_baselines(held_out_comparison())).isascii()


def test_baselines_stand_under_the_sets_that_were_held_out() -> None:
    comparison = held_out_comparison()
    comparison["sets"].append(part("all", "corpus", 60, 21, 0.1, 0.3))
    plain = table(comparison).split("\n")
    *sets, last = table(with_baselines(comparison)).split("\n")
    assert [line.split() for line in sets] == [line.split() for line in plain]
    assert last.startswith("test: BM25  whole corpus  20")
    assert "30.0% (0.1%)" in last
    assert "0.450 (0.007)" in last
    assert last.endswith("no model")


def test_where_nothing_was_held_out_a_baseline_stands_under_all() -> None:
    comparison = seen_comparison()
    comparison["sets"] = [
        part("train", "corpus", 30, 30, 0.1, 0.3), part("all", "corpus", 50, 35, 0.1, 0.3)
    ]  # fmt: skip
    lines = table(with_baselines(comparison), "zh").split("\n")
    assert [line for line in lines if "BM25" in line] == [lines[3]]
    assert lines[3].startswith("全部：BM25")
    assert "50" in lines[3]
