"""Each check of the audit of negatives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stage2._core import Dataset, Samples
from stage2.mining.audit import CHECKS, Evidence, audit, with_negatives
from tests.negatives import NEARLY, OTHERS, TRUTH, plain, sample
from tests.small import write_jsonl


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Samples]:
    return lambda *rows: Samples.load_jsonl(write_jsonl(tmp_path / "data.jsonl", list(rows)))


def found(samples: Samples, evidence: Evidence | None = None) -> set[tuple[str, str, int | None]]:
    rows = audit(samples, evidence).rows()
    return {(row["qa_id"], row["check"], row["position"]) for row in rows}


@pytest.mark.parametrize(
    ("negative", "checks"),
    [
        (("c0", OTHERS[2]), {"positive"}),
        (("n9", TRUTH.upper().replace(" ", "\n")), {"positive", "contains_answer"}),
        (("n9", NEARLY), {"near_duplicate", "contains_answer"}),
        (("n9", "It lies off ELBA."), {"contains_answer"}),
        (("n9", "Elbasan is far."), set()),
        (("n1", OTHERS[2]), {"repeated"}),
        (("n9", OTHERS[1].lower()), {"repeated"}),
        (("n9", OTHERS[2]), set()),
    ],
)
def test_each_check_of_texts(
    load: Callable[..., Samples], negative: tuple[str, str], checks: set[str]
) -> None:
    samples = load(sample([*plain(2), negative]))
    assert found(samples) == {("q0", check, 3) for check in checks}


def test_a_ground_truth_of_a_question_with_the_same_text_is_no_negative(
    load: Callable[..., Samples],
) -> None:
    other = {"qa_id": "q1", "question": "where did he  SAIL？", "gt_chunk_id": "n1",
             "gt_chunk_ids": ["n1"], "ground_truth_contexts": [OTHERS[1]]}  # fmt: skip
    samples = load(sample(plain(2)), sample([("n5", "By night."), ("n6", "At sea.")], **other))
    assert found(samples) == {("q0", "short_list", None)}
    assert samples.context_ids.take(np.asarray(samples.candidates)) == [
        "c0", "n1", "n0", "n1", "c0", "n5", "n6",
    ]  # fmt: skip
    assert any("1 negatives are ground truths" in warning for warning in samples.warnings)


def test_a_short_list_is_told_against_the_longest_or_against_what_was_asked(
    load: Callable[..., Samples],
) -> None:
    samples = load(sample(plain(2)), sample(plain(3), qa_id="q1", question="Who?"))
    assert found(samples) == {("q0", "short_list", None)}
    assert found(samples, Evidence(negatives=2)) == set()
    assert len(found(samples, Evidence(negatives=4))) == 2


def test_titles_tell_siblings(tmp_path: Path) -> None:
    chunks = [
        {"chunk_id": "a", "text": "first part", "title": "Elba"},
        {"chunk_id": "b", "text": "second part", "title": "Elba"},
        {"chunk_id": "c", "text": "no title"},
    ]
    qa = [{"qa_id": "q", "question": "what", "chunk_id": "a"},
          {"qa_id": "r", "question": "who", "chunk_id": "c"}]  # fmt: skip
    dataset = Dataset.load(
        write_jsonl(tmp_path / "qa.jsonl", qa), write_jsonl(tmp_path / "chunks.jsonl", chunks)
    )
    samples = dataset.construct(2)
    evidence = Evidence(titles=dataset.chunk_titles)
    ids = samples.context_ids.take(np.asarray(samples.candidates)[:3])
    assert found(samples, evidence) == {("q", "sibling", ids.index("b"))}
    assert "sibling" in audit(samples).not_checked


def test_scores_above_the_lowest_ground_truth_and_scores_that_are_none(
    load: Callable[..., Samples],
) -> None:
    truths = {"ground_truth_contexts": [TRUTH, "By sea."], "gt_chunk_ids": ["c0", "c1"]}
    samples = load(sample(plain(3), **truths))
    scores = np.asarray([0.9, 0.5, 0.6, 0.5, np.nan], np.float32)
    assert found(samples, Evidence(scores=scores)) == {
        ("q0", "model_above", 2), ("q0", "not_finite", 4),
    }  # fmt: skip
    cross = Evidence(cross_scores=np.asarray([2, 1, 0.8, 0.7, 0], np.float32), cross_margin=0.25)
    assert found(samples, cross) == {("q0", "cross_encoder_above", 2)}
    assert audit(samples, cross).false_negatives.tolist() == [False, False, True, False, False]


def test_symbols_tell_negatives_from_ground_truths(load: Callable[..., Samples]) -> None:
    """Answers that differ in a sign, or in the name of a language, are different."""
    pairs = [
        ("The charge is +2.", "The charge is -2."),
        ("It was made for C++.", "It was made for C#."),
        ("5 is > 3", "5 is < 3"),
        ("x² is even", "x2 is even"),
    ]
    rows = [
        sample([("n", negative)], qa_id=str(i), question=f"Question {i}?", answer=truth,
               ground_truth_contexts=[truth])
        for i, (truth, negative) in enumerate(pairs)
    ]  # fmt: skip
    assert found(load(*rows)) == set()


def test_questions_that_differ_in_a_symbol_are_two(load: Callable[..., Samples]) -> None:
    rows = [
        sample([("n", "About nothing.")], qa_id=name, question=f"Who made {name}?", answer="",
               ground_truth_contexts=[f"{name} was made by {who}."], gt_chunk_id=name,
               gt_chunk_ids=[name])
        for name, who in (("C++", "Bjarne Stroustrup"), ("C#", "Anders Hejlsberg"))
    ]  # fmt: skip
    samples = load(*rows)
    assert samples.num_relevant.tolist() == [1, 1]
    assert not samples.warnings


def test_answers_of_every_row_of_a_question_are_looked_for(load: Callable[..., Samples]) -> None:
    truths = {"ground_truth_contexts": ["By sea."], "gt_chunk_ids": ["s"], "gt_chunk_id": "s"}
    negatives = [*plain(2), ("n9", "They found diamonds at night.")]
    samples = load(sample(negatives), sample(negatives, qa_id="q1", answer="diamonds", **truths))
    assert found(samples) == {
        ("q0", "contains_answer", 4), ("q1", "contains_answer", 4),
    }  # fmt: skip


def test_the_summary_counts_the_rows(load: Callable[..., Samples]) -> None:
    result = audit(load(sample([("c0", TRUTH), ("n9", NEARLY), ("n9", NEARLY)])))
    summary, rows = result.summary(), list(result.rows())
    counts = {check["name"]: check["count"] for check in summary["checks"]}
    assert counts == {check: sum(row["check"] == check for row in rows) for check in counts}
    assert counts["contains_answer"] == 3
    assert counts["near_duplicate"] == 2
    assert summary["false_negatives"] == 3
    names = {check.name for check in CHECKS}
    assert set(counts) | set(summary["not_checked"]) == names


def test_with_negatives_counts_what_is_left() -> None:
    offsets, relevant = np.asarray([0, 3, 5]), np.asarray([1, 1])
    dropped = np.asarray([False, True, False, False, True])
    assert with_negatives(offsets, relevant, dropped).tolist() == [True, False]
