"""The bars of baselines, before and after."""

from __future__ import annotations

import numpy as np
import pytest

from stage2.evaluation.baselines import Baseline
from stage2.evaluation.compare import QuestionSet, compare
from stage2.report.figures.bars import bars, judged
from tests.comparisons import held_out_comparison, scored, unknown_comparison, with_baselines
from tests.report.figures.views import Drawn, view

ROWS = np.arange(20)
TEST, ALL = QuestionSet("test", ROWS[:8], True), QuestionSet("all", ROWS, False)


def comparison(**baselines: Baseline) -> dict[str, object]:
    before, after = scored([[0.1, 0.9]] * 20), scored([[0.9, 0.1]] * 20)
    sources = {"candidates": before, "corpus": before}, {"candidates": after, "corpus": after}
    return compare(*sources, [ALL, TEST], ROWS, seed=0, baselines=baselines)


def test_each_ranking_has_a_bar_as_long_as_its_value_and_its_interval() -> None:
    drawn = Drawn(bars(view(comparison=comparison(bm25=Baseline(scored([[0.1, 0.9]] * 20))))))
    assert drawn.figure.title == "8 held-out test questions, over the whole corpus"
    assert {len(drawn.all("rect", f"bar {kind}")) for kind in ("base", "before", "after")} == {4}
    assert "Before, Top-1: 0.0%, 95% interval 0–32%" in drawn.titles()
    assert "After, Top-1: 100.0%, 95% interval 68–100%" in drawn.titles()
    widths = [float(rect.get("width", "")) for rect in drawn.all("rect", "bar after")]
    before = [float(rect.get("width", "")) for rect in drawn.all("rect", "bar before")]
    assert before[0] == 0
    assert widths[0] == pytest.approx(2 * before[-1])  # Top-1 of 1, and an MRR of a half
    # All twelve bars, and the difference of MRR.
    assert len(drawn.all("line", "whisker")) == 13
    assert "After, MRR: 1.000, 95% interval 1.000–1.000" in drawn.titles()
    assert "MRR: After − Before: +0.500, 95% interval +0.500 – +0.500" in drawn.titles()


def test_the_difference_is_from_what_the_verdict_is_against() -> None:
    backbone = Baseline(scored([[0.9, 0.1]] * 20), "org/encoder", 384)
    drawn = Drawn(bars(view(comparison=comparison(untouched_backbone=backbone))))
    assert "MRR: After − untouched backbone: 0.000, 95% interval 0.000 – 0.000" in drawn.titles()


def test_without_statistics_there_are_the_intervals_of_baselines_alone() -> None:
    drawn = Drawn(bars(view(comparison=with_baselines(held_out_comparison()))))
    assert len(drawn.all("rect", "bar")) == 8
    assert drawn.all("line", "whisker") == []
    of_corpus = with_baselines({"sets": held_out_comparison()["sets"][1:]})
    assert len(Drawn(bars(view(comparison=of_corpus))).all("line", "whisker")) == 3


def test_one_model_has_one_bar() -> None:
    drawn = Drawn(bars(view(comparison=unknown_comparison(1))))
    assert len(drawn.all("rect", "bar")) == 4
    assert "Model, Top-1: 10.0%" in drawn.titles()


def test_without_a_comparison_there_is_no_figure() -> None:
    assert bars(view()) is None
    assert judged({"sets": []}) is None
