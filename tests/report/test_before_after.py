"""The sections before and after training: the verdict and the tables."""

from __future__ import annotations

from typing import Any

import pytest

from stage2.report.before_after import interval, span
from stage2.utils import files
from tests.comparisons import (
    held_out_comparison,
    seen_comparison,
    unknown_comparison,
    with_baselines,
)
from tests.report.folders import Make, rows_of, sections


def test_opens_with_what_held_out_questions_say(make: Make) -> None:
    head = sections(make())[""]
    assert "**Higher** on 20 questions that training never saw, among their candidates" in head
    assert "Top-1 10.0% (2/20) → 60.0% (12/20) (chance 16.7%)" in head
    assert "MRR 0.350 → 0.550 (chance 0.408)" in head
    assert "over the whole corpus: Top-1 5.0% (1/20) → 25.0% (5/20) (chance 0.1%)" in head
    assert "20 questions are few" in head


@pytest.mark.parametrize(("after", "word"), [(0.35 + 1e-15, "No change"), (0.2, "Lower")])
def test_says_when_nothing_was_won(make: Make, after: float, word: str) -> None:
    comparison = held_out_comparison()
    comparison["sets"][0]["after"]["mrr"] = after
    head = sections(make(comparison=comparison))[""]
    assert f"**{word}** on 20 questions that training never saw, among their candidates" in head


def test_warns_where_nothing_was_held_out(make: Make) -> None:
    head = sections(make(comparison=seen_comparison()))[""]
    assert "> **Warning: measured on the questions trained on.** 35 of 50" in head
    assert "never saw" not in head


def test_warns_where_it_is_not_known_what_was_trained_on(make: Make) -> None:
    parts = sections(make(comparison=unknown_comparison(2)))
    assert "> **Warning: nothing is known to be held out.**" in parts[""]
    assert "whether training saw them is not known" in parts["Before and after"]


def test_each_set_has_its_numbers_and_what_training_saw(make: Make) -> None:
    _, *blocks = sections(make())["Before and after"].split("### ")
    said = {block.split("\n")[0]: block for block in blocks}
    assert list(said) == [
        "20 held-out test questions, among their candidates",
        "20 held-out test questions, over the whole corpus",
        "10 dev questions, among their candidates",
        "30 training questions, among their candidates",
        "60 all questions, among their candidates",
    ]
    test, _, dev, train, _ = said.values()
    assert "training saw none of them" in test
    assert ["Top-1", "16.7%", "10.0% (2/20)", "60.0% (12/20)", "+50.0 pp", "3–30%", "39–78%"] in (
        rows_of(test)
    )
    assert "the shipped model was chosen on them" in dev
    assert "NOT held out: training saw 21 of the 30" in train


def test_recall_stands_where_it_was_measured(make: Make) -> None:
    comparison = held_out_comparison()
    part = comparison["sets"][1]
    assert part["source"] == "corpus"
    for side, value in (("before", 0.5), ("after", 0.625)):
        part[side] = part[side] | {"recall20": value}
    part["before"]["chance"] = part["before"]["chance"] | {"recall20": 0.02}
    folder = make(comparison=comparison)
    parts = sections(folder)
    rows = [row for row in rows_of(parts["Before and after"]) if row[0].startswith("Recall")]
    assert rows == [["Recall@20", "0.020", "0.500", "0.625", "+0.125", "", ""]]
    assert "*Recall@k* is" in parts["How to read this"]
    assert (folder / files.PAGE).read_text("utf-8").count(">Recall@20<") == 1
    assert not any("Recall@" in text for text in sections(make("without")).values())


def test_baselines_stand_before_the_models_over_the_whole_corpus(make: Make) -> None:
    plain = sections(make("without"))
    folder = make(comparison=with_baselines(held_out_comparison()))
    parts = sections(folder)
    _, candidates, corpus, *others = parts["Before and after"].split("### ")
    _, same, _, *same_others = plain["Before and after"].split("### ")
    assert (candidates, others) == (same, same_others)
    rows = rows_of(corpus)
    assert rows[0] == [
        "Metric", "Chance", "BM25", "Before", "After", "Change", "95% BM25", "95% before",
        "95% after",
    ]  # fmt: skip
    assert rows[2] == [
        "Top-1", "0.1%", "30.0% (6/20)", "5.0% (1/20)", "25.0% (5/20)", "+20.0 pp", "15–52%",
        "1–24%", "11–47%",
    ]  # fmt: skip
    assert rows[5][:6] == ["MRR", "0.007", "0.450", "0.350", "0.550", "+0.200"]
    assert rows[-1][:5] == ["Questions with a tie", "", "0.0%", "0.0%", "0.0%"]
    # The verdict is about the models alone.
    assert parts[""] == plain[""]
    assert "BM25 ranks by the words" in parts["How to read this"]
    assert "BM25" not in plain["How to read this"]
    assert "BM25 只按" in sections(folder, "zh")["如何阅读本报告"]


def test_mrr_has_an_interval_where_one_is_known(make: Make) -> None:
    comparison = with_baselines(held_out_comparison())
    candidates, corpus = comparison["sets"][:2]
    known = {"value": 0.35, "low": 0.25, "high": 0.4504}
    for part in (candidates, corpus):
        part["statistics"] = statistics(mrr=known)
    baseline = corpus["baselines"]["bm25"]
    baseline["intervals"] = baseline["intervals"] | {"mrr": known}
    assert interval(candidates, "mrr", "before") == known
    assert span(corpus, "mrr", "bm25") == "0.250–0.450"
    assert span(candidates, "top1", "after") == "30–60%"
    assert span(candidates, "ndcg10", "after") == span(comparison["sets"][2], "top1", "after") == ""
    folder = make(comparison=comparison)
    of_corpus = rows_of(sections(folder)["Before and after"].split("### ")[2])
    assert of_corpus[5][-3:] == ["0.250–0.450"] * 3
    assert (folder / files.PAGE).read_text("utf-8").count("<small>0.250–0.450</small>") == 5


def statistics(mrr: dict[str, float]) -> dict[str, Any]:
    """Return statistics in which before and after are the same."""
    change = {"before": 0.35, "after": 0.35, "difference": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}
    flips = {"fixed": 0, "broken": 0, "p": 1.0}
    share = {"value": 0.45, "low": 0.3, "high": 0.6}
    return {
        "success": {str(k): {"before": share, "after": share, **flips} for k in (1, 3, 5)},
        "mrr": {**change, "intervals": {"before": mrr, "after": mrr}},
        "ndcg10": change,
        "verdict": "no_evidence",
    }


def test_one_model_beside_a_baseline(make: Make) -> None:
    comparison = unknown_comparison(1)
    comparison["sets"][0]["source"] = "corpus"
    rows = rows_of(sections(make(comparison=with_baselines(comparison)))["Before and after"])
    assert rows[0] == ["Metric", "Chance", "BM25", "Model", "95% BM25", "95% interval"]
    assert rows[2][2:4] == ["30.0% (15/50)", "10.0% (5/50)"]


def test_one_model_has_no_before_and_after(make: Make) -> None:
    rows = rows_of(sections(make(comparison=unknown_comparison(1)))["Before and after"])
    assert rows[0] == ["Metric", "Chance", "Model", "95% interval"]
    assert rows[2] == ["Top-1", "16.7%", "10.0% (5/50)", "4–21%"]
