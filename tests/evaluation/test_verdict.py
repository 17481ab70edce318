"""The verdict, and the questions on which it is based."""

from __future__ import annotations

import numpy as np

from stage2.evaluation.baselines import Baseline
from stage2.evaluation.compare import QuestionSet, compare
from stage2.evaluation.ranking import Scored
from stage2.evaluation.verdict import statistics_against, verdict
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


def test_the_verdict_is_against_the_best_model_that_the_user_had() -> None:
    worst, middle, best = (scored([row] * 20) for row in ([0, 2, 1], [1, 2, 0], [2, 1, 0]))
    rows = np.arange(20)
    test = [QuestionSet("test", rows, True)]

    def found(before: Scored, after: Scored, **baselines: Baseline) -> tuple[str, str]:
        sides = (dict.fromkeys(("candidates", "corpus"), side) for side in (before, after))
        made = compare(*sides, test, rows, seed=0, baselines=baselines)["verdict"]
        return made["word"], made["against"]

    backbone = Baseline(best, "encoder", 384)
    assert found(worst, middle) == ("better", "before")
    assert found(worst, middle, backbone=backbone) == ("worse", "backbone")
    assert found(worst, best, backbone=backbone) == ("no_evidence", "backbone")
    # The model as it was given comes first among equals, and BM25 is no model.
    assert found(best, middle, backbone=backbone) == ("worse", "before")
    assert found(best, middle, backbone=Baseline(worst, "encoder", 384)) == ("worse", "before")
    assert found(worst, middle, bm25=Baseline(best)) == ("better", "before")


def test_folds_are_held_against_a_baseline_on_the_same_questions() -> None:
    worst, best = scored([[0.1, 0.9]] * 20), scored([[0.9, 0.1]] * 20)
    rows = np.arange(20)
    sources = {"corpus": worst}, {"corpus": best}
    crossed = QuestionSet("cross-validated", rows, True, after={"corpus": worst})
    backbone = {"backbone": Baseline(best, "encoder", 384)}
    found = compare(*sources, [crossed], rows, seed=0, baselines=backbone)
    assert (found["verdict"]["word"], found["verdict"]["against"]) == ("worse", "backbone")
    assert statistics_against(found["sets"][0])["backbone"]["mrr"]["difference"] == -0.5
