"""The sentence of the verdict: what was measured, the difference, and its significance."""

from __future__ import annotations

from typing import Any

import numpy as np

from stage2.evaluation.baselines import Baseline
from stage2.evaluation.compare import QuestionSet, compare
from stage2.report.verdict import sentences
from tests.comparisons import scored

ROWS = np.arange(20)
DEV, ALL = QuestionSet("dev", ROWS, False), QuestionSet("all", ROWS, False, 10)


def comparison(*sets: QuestionSet, **baselines: Baseline) -> dict[str, Any]:
    before, after = scored([[0.1, 0.9]] * 20), scored([[0.9, 0.1]] * 20)
    sources = {"candidates": before, "corpus": before}, {"candidates": after, "corpus": after}
    return compare(*sources, list(sets), ROWS, seed=0, baselines=baselines)


def test_questions_that_training_saw_bear_a_warning() -> None:
    said = sentences(comparison(DEV, ALL))
    assert "not held out" in said["en"]
    assert "并非留出" in said["zh"]


def test_a_test_set_that_is_not_held_out_claims_nothing() -> None:
    said = sentences(comparison(QuestionSet("test", ROWS, False)))
    assert "never saw" not in said["en"]
    assert "not held out" in said["en"]


def test_the_sentence_has_the_numbers_of_the_set_that_bears_the_verdict() -> None:
    assert sentences(comparison(DEV, ALL, QuestionSet("test", ROWS[:3], True)))["en"] == (
        "No evidence of change on 3 questions that training never saw, over the whole corpus: "
        "MRR 0.500 → 1.000, difference +0.500, 95% interval +0.500 to +0.500, p = 0.250 "
        "(paired randomisation test)."
    )


TEST = QuestionSet("test", ROWS, True)


def test_a_verdict_against_the_backbone_names_it_and_says_what_the_index_costs() -> None:
    sides = ({"corpus": scored([row] * 20)} for row in ([0.0, 2, 1], [1.0, 2, 0]))
    backbone = Baseline(scored([[2.0, 1, 0]] * 20), "org/encoder", 384)
    found = compare(*sides, [TEST], ROWS, seed=0, baselines={"untouched_backbone": backbone})
    said = sentences(found | {"embedding_dim": 64})
    assert said["en"].startswith(
        "Worse than org/encoder, the untouched backbone, on 20 questions that training never saw, "
        "over the whole corpus: MRR 1.000 → 0.500, difference −0.500,"
    )
    assert said["en"].endswith(
        " 64 dimensions in place of the 384 of the untouched backbone, org/encoder: an index 6 "
        "times smaller, 0.500 MRR less."
    )
    assert said["zh"].startswith("差于未改动的主干 org/encoder：20 个")
    assert "索引缩小到 1/6，MRR 低 0.500。" in said["zh"]


def test_a_verdict_against_stage_1_says_what_the_smaller_index_costs_too() -> None:
    backbone = Baseline(scored([[0.1, 0.9]] * 20), "encoder", 100)
    found = comparison(TEST, untouched_backbone=backbone)
    said = sentences(found | {"embedding_dim": 64})["en"]
    assert said.startswith("Better on 20 questions")
    assert said.endswith("encoder: an index 1.56 times smaller, 0.500 MRR more.")
    # A model as wide as the backbone, or two models together, give no smaller index.
    for width in (100, None):
        assert "smaller" not in sentences(found | {"embedding_dim": width})["en"]
