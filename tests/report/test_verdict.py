"""The sentence of the verdict: what was measured, the difference, and its significance."""

from __future__ import annotations

from typing import Any

import numpy as np

from stage2.evaluation.compare import QuestionSet, compare
from stage2.report.verdict import sentences
from tests.comparisons import scored

ROWS = np.arange(20)
DEV, ALL = QuestionSet("dev", ROWS, False), QuestionSet("all", ROWS, False, 10)


def comparison(*sets: QuestionSet) -> dict[str, Any]:
    before, after = scored([[0.1, 0.9]] * 20), scored([[0.9, 0.1]] * 20)
    sources = {"candidates": before, "corpus": before}, {"candidates": after, "corpus": after}
    return compare(*sources, list(sets), ROWS, seed=0)


def test_questions_that_training_saw_bear_a_warning() -> None:
    said = sentences(comparison(DEV, ALL))
    assert "not held out" in said["en"]
    assert "并非留出" in said["zh"]


def test_the_sentence_has_the_numbers_of_the_set_that_bears_the_verdict() -> None:
    assert sentences(comparison(DEV, ALL, QuestionSet("test", ROWS[:3], True)))["en"] == (
        "No evidence of change on 3 questions that training never saw, over the whole corpus: "
        "MRR 0.500 → 1.000, difference +0.500, 95% interval +0.500 to +0.500, p = 0.250 "
        "(paired randomisation test)."
    )
