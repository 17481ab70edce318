"""The verdict, and the questions on which it is based."""

from __future__ import annotations

import numpy as np

from stage2.evaluation.compare import QuestionSet, compare
from stage2.evaluation.verdict import verdict
from tests.comparisons import scored


def test_the_verdict_is_that_of_the_best_evidence() -> None:
    before, after = scored([[0.1, 0.9]] * 20), scored([[0.9, 0.1]] * 20)
    rows = np.arange(20)
    sets = [QuestionSet("dev", rows, False), QuestionSet("all", rows, False, 10)]
    sources = {"candidates": before, "corpus": before}, {"candidates": after, "corpus": after}
    seen = compare(*sources, sets, rows, seed=0)["verdict"]
    assert (seen["set"], seen["source"], seen["word"]) == ("all", "corpus", "better")
    assert seen["held_out"] is False
    test = QuestionSet("test", rows[:3], True)
    few = compare(*sources, [*sets, test], rows, seed=0)["verdict"]
    assert (few["set"], few["word"]) == ("test", "no_evidence")
    crossed = QuestionSet("cross-validated", rows, True, after={**sources[0]})
    parts = compare(*sources, [*sets, test, crossed], rows, seed=0)["sets"]
    assert verdict(parts)["set"] == "cross-validated"
    assert verdict(parts)["word"] == "no_evidence"
