"""Comparisons of two models, for each set and for each question."""

from __future__ import annotations

import numpy as np
import pytest

import stage2
from stage2.evaluation.baselines import Baseline
from stage2.evaluation.compare import QuestionSet, compare, per_question
from stage2.evaluation.ranking import Scored
from stage2.evaluation.statistics import wilson
from tests.comparisons import scored


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
    intervals = part["statistics"]["mrr"]["intervals"]
    assert intervals["after"] == {"value": 1, "low": 1, "high": 1}
    assert intervals["before"]["value"] == pytest.approx(part["before"]["mrr"])
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
    """First one of two ground truths is found, then both. Recall changes and nothing else."""
    offsets, two = np.array([0, 4, 8]), np.array([2, 2])
    before, after = (
        Scored.of(np.array(scores, np.float32), offsets, two, np.ones(8, np.bool_))
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


def test_baselines_stand_beside_the_models_and_change_nothing() -> None:
    before = scored([[0.1, 0.9, 0.2], [0.9, 0.1, 0.2], [0.1, 0.9, 0.2], [0.5, 0.5, 0.2]])
    after = scored([[0.9, 0.1, 0.2], [0.9, 0.1, 0.2], [0.9, 0.1, 0.2], [0.9, 0.1, 0.2]])
    bm25 = scored([[0.9, 0.1, 0.2], [0.1, 0.9, 0.2], [0.5, 0.5, 0.2], [0.9, 0.1, 0.2]])
    sides = [dict.fromkeys(("candidates", "corpus"), side) for side in (before, after)]
    sets = [QuestionSet("test", np.array([0, 2, 3]), held_out=True)]
    numbers = np.arange(4)
    plain = compare(*sides, sets, numbers, seed=0, recall_at=(2,))
    found = compare(
        *sides, sets, numbers, seed=0, recall_at=(2,), baselines={"bm25": Baseline(bm25)}
    )
    candidates, corpus = found["sets"]
    beside = corpus.pop("baselines")["bm25"]
    assert [candidates, corpus] == plain["sets"]
    assert found["verdict"] == plain["verdict"]
    assert beside["top1"] == pytest.approx(2.5 / 3)
    assert beside["recall2"] == 1
    assert beside["num_queries"] == 3
    assert beside.keys() - {"intervals"} == corpus["before"].keys()
    low, high = wilson(2.5 / 3, 3)
    assert beside["intervals"]["1"] == pytest.approx({"value": 2.5 / 3, "low": low, "high": high})
    assert beside["intervals"].keys() == {"1", "3", "5", "mrr"}
    rows = per_question(
        *sides, list("abcd"), list("wxyz"), sets, "corpus", {"bm25": Baseline(bm25)}
    )  # fmt: skip
    assert [row["ranks"]["corpus"]["bm25"] for row in rows] == [1, 3, 1.5, 1]
    assert "bm25" not in rows[0]["ranks"]["candidates"]
    assert rows[2]["metrics"]["corpus"]["bm25"]["reciprocal_rank"] == pytest.approx(0.75)
    for row in rows:
        del row["ranks"]["corpus"]["bm25"], row["metrics"]["corpus"]["bm25"]
    assert rows == per_question(*sides, list("abcd"), list("wxyz"), sets, "corpus")


def test_a_set_is_measured_without_what_it_leaves_out() -> None:
    """Models and baselines leave out the first of two ground truths, in ranks and in Recall."""
    offsets, two, both = np.array([0, 4, 8]), np.array([2, 2]), np.ones(8, np.bool_)
    before, after, bm25 = (
        Scored.of(np.array(scores, np.float32), offsets, two, both)
        for scores in (
            [0.9, 0.1, 0.5, 0.4, 0.3, 0.2, 0.9, 0.8],
            [0.9, 0.8, 0.5, 0.4, 0.9, 0.2, 0.3, 0.8],
            [0.1, 0.9, 0.5, 0.4, 0.1, 0.9, 0.5, 0.4],
        )
    )
    sides = [dict.fromkeys(("candidates", "corpus"), side) for side in (before, after)]
    beside = {"bm25": Baseline(bm25)}
    counts = {"ground_truths_seen": 1, "questions_with_no_other": 1}
    aside = np.array([True, False, False, False])
    rows = np.array([0])
    test = QuestionSet("test", rows, held_out=True, aside=aside, left_out=counts)
    everyone = QuestionSet("all", np.arange(2), held_out=False)
    sets = [test, everyone]
    found = compare(*sides, sets, np.arange(2), 0, (1,), beside)["sets"]
    for part in found[:2]:
        assert part["left_out"] == counts
        assert part["before"]["mrr"] == pytest.approx(1 / 3)
        assert part["after"]["mrr"] == part["after"]["ndcg10"] == 1
        assert part["after"]["chance"]["top1"] == pytest.approx(1 / 3)
    assert (found[1]["after"]["recall1"], found[1]["before"]["recall1"]) == (1, 0)
    assert found[1]["baselines"]["bm25"]["recall1"] == 1
    # The set after it has everything.
    alone = compare(*sides, [everyone], np.arange(2), 0, (1,), beside)["sets"]
    assert found[2:] == alone
    first, second = per_question(*sides, list("ab"), list("xy"), sets, "corpus", beside)
    assert first["ranks"]["corpus"] == {"before": 3, "after": 1, "bm25": 1}
    assert second["ranks"]["corpus"] == {"before": 3, "after": 1, "bm25": 1}
    assert first["change"] == "fixed"


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
