"""The histograms of scores."""

from __future__ import annotations

import pytest

from stage2.report.figures.scores import BINS, scores
from tests.comparisons import unknown_comparison
from tests.report.figures.views import Drawn, view

PAIRS = {"before": [(0.5, 0.4), (0.3, 0.6), (0.5, 0.2)], "after": [(1.0, 0.0)] * 3}


def test_every_question_is_counted_once_on_each_side_of_each_line() -> None:
    drawn = Drawn(scores(view(scores=PAIRS, held_out=True)))
    for kind, name in (("right", "ground truth"), ("base", "hardest negative")):
        bars = drawn.all("rect", f"bar {kind}")
        counts = [int(bar[0].text.rpartition(": ")[2]) for bar in bars if bar[0].text]
        assert sum(counts) == 6
        assert all((bar[0].text or "").startswith(name) for bar in bars)
    widths = {float(bar.get("width", "")) for bar in drawn.all("rect")}
    assert max(widths) == pytest.approx(348 / BINS - 1, abs=0.01)
    assert drawn.figure.caption.startswith("3 held-out questions")


def test_ground_truths_stand_above_and_negatives_below() -> None:
    drawn = Drawn(scores(view(scores={"before": [(0.9, 0.1)]})))
    (right,), (wrong,) = drawn.all("rect", "bar right"), drawn.all("rect", "bar base")
    assert float(right.get("y", "")) + float(right.get("height", "")) == float(wrong.get("y", ""))


def test_the_gap_is_the_median_of_questions() -> None:
    drawn = Drawn(scores(view(scores=PAIRS)))
    assert {"median gap +0.100", "median gap +1.000"} <= set(drawn.texts())


def test_equal_scores_have_a_picture_too() -> None:
    drawn = Drawn(scores(view(scores={"before": [(0.5, 0.5)], "after": []})))
    assert len(drawn.all("rect")) == 2
    assert "median gap 0.000" in drawn.texts()


def test_one_model_is_named_as_such() -> None:
    one = view(scores={"before": [(0.5, 0.4)]}, comparison=unknown_comparison(1))
    assert "Model" in Drawn(scores(one)).texts()


def test_what_is_not_left_out_is_said() -> None:
    seen = {"sets": [{"left_out": {"ground_truths_seen": 3}}]}
    caption = Drawn(scores(view(scores=PAIRS, held_out=True, comparison=seen))).figure.caption
    assert "training has seen count" in caption


def test_without_scores_there_is_no_figure() -> None:
    assert scores(view(scores={"before": [], "after": []})) is None
