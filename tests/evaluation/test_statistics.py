from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import stage2
from stage2.evaluation.compare import QuestionSet, compare, per_question
from stage2.evaluation.ranking import Scored
from stage2.evaluation.statistics import Difference, mcnemar, paired_differences, verdict_of, wilson
from stage2.evaluation.verdict import verdict

Doubles = npt.NDArray[np.float64]


@given(total=st.integers(1, 2000), share=st.floats(0, 1))
def test_wilson_is_scipys(total: int, share: float) -> None:
    successes = round(share * total)
    expected = stats.binomtest(successes, total).proportion_ci(method="wilson")
    assert wilson(successes / total, total) == pytest.approx(tuple(expected), abs=1e-9)


@given(fixed=st.integers(0, 300), broken=st.integers(0, 300))
def test_mcnemar_is_scipys_binomial_test(fixed: int, broken: int) -> None:
    expected = stats.binomtest(fixed, fixed + broken).pvalue if fixed + broken else 1.0
    assert mcnemar(fixed, broken) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("count", [2, 5, 13])
def test_randomisation_of_few_questions_is_scipys_permutation_test(count: int) -> None:
    values = np.random.default_rng(count).normal(0.4, 1, count)
    expected = stats.permutation_test(
        (values, np.zeros(count)),
        lambda left, right, axis: np.mean(left - right, axis=axis),
        permutation_type="samples",
    )
    assert paired_differences([values])[0].p == pytest.approx(expected.pvalue, abs=1e-9)


def test_randomisation_of_many_questions_is_close_to_the_exact_answer() -> None:
    values = np.random.default_rng(3).normal(0.3, 1, 18)
    exact = paired_differences([values], resamples=2**18)[0].p
    drawn = paired_differences([values], resamples=50_000)[0].p
    assert 0.01 < exact < 0.9
    assert drawn == pytest.approx(exact, abs=5 * (exact * (1 - exact) / 50_000) ** 0.5)


@pytest.mark.parametrize("count", [3, 50, 401])
def test_bootstrap_is_scipys_on_the_same_draws(count: int) -> None:
    values = np.random.default_rng(count).normal(0, 1, count)
    expected = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=10_000, batch=500,
        rng=np.random.default_rng([7, 0]),
    ).confidence_interval  # fmt: skip
    found = paired_differences([values], seed=7)[0]
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_equal_seeds_give_equal_answers_and_blocks_leave_no_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(0).normal(0.05, 1, (2, 301))
    once = paired_differences(values, seed=1)
    monkeypatch.setattr("stage2.evaluation.statistics._BLOCK", 3001)
    assert paired_differences(values, seed=1) == once
    assert paired_differences(values, seed=2) != once


def test_one_event_told_many_times_is_no_more_evidence() -> None:
    """Four chunks of 25 questions each, all of which rose: four events, not a hundred."""
    values = np.repeat([0.1, 0.2, 0.1, 0.3], 25)
    groups = np.repeat([3, 1, 2, 0], 25)
    alone, together = (paired_differences([values], of)[0] for of in (None, groups))
    assert alone.p < 0.001
    assert together.p == 2 / 2**4
    assert together.mean == alone.mean
    assert together.high - together.low > alone.high - alone.low


def test_no_difference_is_no_evidence() -> None:
    found = paired_differences(np.zeros((1, 40)))[0]
    assert found == Difference(0.0, 0.0, 0.0, 1.0)
    assert verdict_of(found) == "no_evidence"


def test_the_verdict_keeps_its_error_rate() -> None:
    """300 experiments without an effect: more than 5% either way has a chance below 1 in 1,000."""
    words = [
        verdict_of(paired_differences([experiment(seed, 0.0)], seed=seed, resamples=999)[0])
        for seed in range(300)
    ]
    assert words.count("better") <= 15
    assert words.count("worse") <= 15


def test_the_verdict_finds_ten_points() -> None:
    words = [
        verdict_of(paired_differences([experiment(seed, 0.1)], seed=seed, resamples=999)[0])
        for seed in range(50)
    ]
    assert words.count("better") >= 45


def experiment(seed: int, effect: float, count: int = 400) -> Doubles:
    """Differences of Success@1 of two models that disagree on a quarter of the questions."""
    generator = np.random.default_rng([11, seed])
    drawn = generator.random(count)
    fixed = drawn < (0.25 + effect) / 2
    broken = ~fixed & (drawn < 0.25)
    return fixed.astype(np.float64) - broken


def scored(scores: list[list[float]]) -> Scored:
    offsets = np.cumsum([0, *map(len, scores)], dtype=np.int64)
    flat = np.asarray([value for row in scores for value in row], np.float32)
    ones = np.ones(len(scores), np.int64)
    return Scored.of(flat, offsets, ones, ones)


def test_a_constant_scorer_gets_exactly_chance_and_a_perfect_one_everything() -> None:
    lists = 10
    constant = scored([[0.5] * 6] * lists)
    perfect = scored([[1.0] + [0.0] * 5] * lists)
    rows = np.arange(lists)
    part = compare(
        {"candidates": constant}, {"candidates": perfect},
        [QuestionSet("test", rows, held_out=True)], rows, seed=0,
    )["sets"][0]  # fmt: skip
    for k, success in part["statistics"]["success"].items():
        assert success["before"]["value"] == pytest.approx(int(k) / 6, abs=1e-15)
        assert success["before"]["value"] == part["before"]["chance"][f"top{k}"]
        assert success["after"]["value"] == 1
        assert success["before"]["low"] < int(k) / 6 < success["before"]["high"]
    assert part["statistics"]["mrr"]["before"] == pytest.approx(part["before"]["chance"]["mrr"])
    assert part["statistics"]["mrr"]["after"] == 1
    assert part["statistics"]["ndcg10"]["after"] == 1
    assert part["before"]["ties"] == 1
    assert part["after"]["ties"] == 0
    assert part["statistics"]["pairs"] == {"entity": 1 / 6, "fallback": 5 / 6}
    assert part["statistics"]["verdict"] == "better"


def test_statistics_are_of_the_rows_asked_for() -> None:
    before = scored([[0.1, 0.9], [0.9, 0.1], [0.1, 0.9], [0.5, 0.5]])
    after = scored([[0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.9, 0.1]])
    rows = np.array([0, 1, 3])
    sets = [QuestionSet("test", rows, held_out=True)]
    found = compare({"corpus": before}, {"corpus": after}, sets, np.arange(4), seed=0)
    statistics = found["sets"][0]["statistics"]
    assert statistics["success"]["1"]["before"]["value"] == pytest.approx(1.5 / 3)
    assert (statistics["success"]["1"]["fixed"], statistics["success"]["1"]["broken"]) == (2, 1)
    assert statistics["success"]["1"]["p"] == 1
    assert statistics["success"]["3"]["fixed"] == 0
    assert statistics["mrr"]["difference"] == pytest.approx((0.5 - 0.5 + 0.25) / 3)
    assert found["sets"][0]["after"]["mrr"] == statistics["mrr"]["after"]
    metrics = stage2.rank([0.1, 0.9, 0.9, 0.1, 0.5, 0.5], [0, 2, 4, 6], 1).metrics()
    assert statistics["ndcg10"]["before"] == pytest.approx(metrics["ndcg10"])


def test_recall_is_told_of_the_whole_corpus_alone() -> None:
    """Of two ground truths one is found, then both; no other number changes."""
    offsets, two = np.array([0, 4, 8]), np.array([2, 2])
    before, after = (
        Scored.of(np.array(scores, np.float32), offsets, two, two)
        for scores in (
            [0.9, 0.1, 0.5, 0.4, 0.3, 0.2, 0.9, 0.8],
            [0.9, 0.8, 0.5, 0.4, 0.9, 0.2, 0.3, 0.8],
        )
    )
    rows = np.arange(2)
    sides = [dict.fromkeys(("candidates", "corpus"), side) for side in (before, after)]
    sets = [QuestionSet("test", rows, held_out=True)]
    plain = compare(*sides, sets, rows, seed=0)
    found = compare(*sides, sets, rows, seed=0, recall_at=(2, 4))
    candidates, corpus = found["sets"]
    assert candidates == plain["sets"][0]
    assert (corpus["before"]["recall2"], corpus["after"]["recall2"]) == (0.25, 0.75)
    assert corpus["before"]["chance"]["recall2"] == 0.5
    assert corpus["after"]["recall4"] == corpus["before"]["recall4"] == 1
    assert corpus["statistics"]["recall2"]["difference"] == 0.5
    assert corpus["statistics"]["recall4"]["p"] == 1
    for part in (corpus["before"], corpus["after"], corpus["statistics"]):
        for name in ("recall2", "recall4"):
            del part[name]
    assert corpus["statistics"] == plain["sets"][1]["statistics"]
    assert found["verdict"] == plain["verdict"]


def test_per_question_says_what_became_of_each() -> None:
    before = scored([[0.1, 0.9], [0.9, 0.1], [0.1, 0.5, 0.9], [0.9, 0.1], [0.5, 0.5]])
    after = scored([[0.9, 0.1], [0.1, 0.9], [0.6, 0.5, 0.9], [0.9, 0.1], [0.1, 0.9]])
    crossed = scored([[0.1, 0.9]] * 2 + [[0.1, 0.5, 0.9]] + [[0.1, 0.9]] * 2)
    everyone = np.arange(5)
    sets = [
        QuestionSet("cross-validated", everyone, True, after={"candidates": crossed}),
        QuestionSet("test", np.array([0, 1]), True),
        QuestionSet("all", everyone, False),
    ]
    rows = per_question(
        {"candidates": before}, {"candidates": after}, list("abcde"), list("vwxyz"), sets,
        "candidates",
    )  # fmt: skip
    assert [row["change"] for row in rows] == ["fixed", "broken", "better", "same", "worse"]
    assert [row["set"] for row in rows] == ["test", "test", "all", "all", "all"]
    assert [row["held_out"] for row in rows] == [True, True, False, False, False]
    assert rows[2]["ranks"] == {"candidates": {"before": 3.0, "after": 2.0}}
    assert rows[4]["ranks"]["candidates"] == {"before": 1.5, "after": 2.0}
    assert rows[0]["cross_validated"] == {"candidates": {"before": 2.0, "after": 2.0}}


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
