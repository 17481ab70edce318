"""The verdict: of which questions it is, and how its numbers are written."""

from __future__ import annotations

import numpy as np
import pytest

from stage2.evaluation.compare import QuestionSet, compare
from stage2.evaluation.verdict import fixed, signed, verdict
from stage2.report import numbers
from tests.comparisons import scored


def test_the_verdict_is_that_of_the_best_evidence() -> None:
    before, after = scored([[0.1, 0.9]] * 20), scored([[0.9, 0.1]] * 20)
    rows = np.arange(20)
    sets = [QuestionSet("dev", rows, False), QuestionSet("all", rows, False, 10)]
    sources = {"candidates": before, "corpus": before}, {"candidates": after, "corpus": after}
    seen = compare(*sources, sets, rows, seed=0)["verdict"]
    assert (seen["set"], seen["source"], seen["word"]) == ("all", "corpus", "better")
    assert "not held out" in seen["text"]["en"]
    assert "并非留出" in seen["text"]["zh"]
    test = QuestionSet("test", rows[:3], True)
    few = compare(*sources, [*sets, test], rows, seed=0)["verdict"]
    assert (few["set"], few["word"]) == ("test", "no_evidence")
    assert few["text"]["en"] == (
        "No evidence of change on 3 questions that training never saw, over the whole corpus: "
        "MRR 0.500 → 1.000, difference +0.500, 95% interval +0.500 to +0.500, p = 0.250 "
        "(paired randomisation test)."
    )
    crossed = QuestionSet("cross-validated", rows, True, after={**sources[0]})
    parts = compare(*sources, [*sets, test, crossed], rows, seed=0)["sets"]
    assert verdict(parts)["set"] == "cross-validated"
    assert verdict(parts)["word"] == "no_evidence"


@pytest.mark.parametrize("value", [-0.0004, -1e-12, -0.0, 0.0])
def test_what_rounds_to_nothing_has_no_sign(value: float) -> None:
    assert signed(value) == "+0.000"
    assert fixed(value, 3) == numbers.decimal(value) == "0.000"
    assert numbers.percent(value / 100) == "0.0%"
    assert numbers.points(value / 100) == "+0.0 pp"
    assert numbers.change(1.0, 1.0 + value / 100) == "+0.0%"
    assert numbers.span(value / 100, 0.5) == "0–50%"


def test_other_numbers_are_as_they_were() -> None:
    assert (signed(-0.0006), fixed(-0.0006, 3)) == ("−0.001", "-0.001")
    assert numbers.change(0.0998, 0.0527) == "−47.2%"
