"""Doubtful labels: what is found, in which order, and the score against a slow twin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stage2._core import Samples
from stage2.data.dataset import Dataset
from stage2.encoding.embeddings import Embeddings
from stage2.evaluation.run_ranks import RunScores
from stage2.mining.audit import Evidence, audit
from stage2.mining.doubts import (
    MISSING,
    OTHERS,
    Doubt,
    doubts,
    ordered,
    score_corpus,
    score_lists,
    score_run,
    texts_of,
)
from tests.negatives import NEARLY, plain, sample
from tests.reference.doubts import adjusted
from tests.small import write_jsonl


def corpus_of(texts: list[str], labels: list[list[int]]) -> Samples:
    offsets = np.cumsum([0, *map(len, labels)]).astype(np.int64)
    flat = np.asarray([one for own in labels for one in own], np.int64)
    questions = [f"question {i}?" for i in range(len(labels))]
    dataset = Dataset.from_columns(questions, texts, (offsets, flat))
    return dataset.with_negatives(np.empty(0, np.int64), np.zeros(len(labels) + 1, np.int64))


def vectors(values: Any) -> Embeddings:
    found = np.asarray(values, np.float32)
    out = Embeddings.empty(len(found), found.shape[1])
    out.mu[:] = found / np.linalg.norm(found, axis=1, keepdims=True)
    return out


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(2, 14))
def test_scores_are_those_of_the_slow_twin(seed: int, questions: int, size: int) -> None:
    random = np.random.default_rng(seed)
    # Some texts are copies of others, under ids of their own.
    texts = [f"Text {random.integers(size)}." for _ in range(size)]
    labels = [
        random.choice(size, random.integers(1, 3), replace=False).tolist() for _ in range(questions)
    ]
    labels = [list({texts[one]: one for one in own}.values()) for own in labels]
    asked, read = (vectors(random.normal(size=(n, 4))) for n in (questions, size))
    samples = corpus_of(texts, labels)
    found = score_corpus(samples, asked, read)
    expected = adjusted(asked.mu @ read.mu.T, texts, labels, OTHERS)
    for row, (own, others) in enumerate(expected):
        assert found.own[row] == pytest.approx(own, abs=1e-5)
        assert found.others[row] == pytest.approx(others, abs=1e-5)


def test_a_wrong_label_and_the_missing_answer_are_found_first() -> None:
    texts = [f"About {word}." for word in ("Elba", "Paris", "Rome", "Malta", "Ghent")]
    truth = vectors(np.eye(5))
    # The second question is labelled with the fifth passage, which is no answer to anything.
    samples = corpus_of(texts, [[0], [4], [2], [3]])
    asked = vectors(np.eye(5)[:4] + 0.1)
    scored = score_corpus(samples, asked, truth)
    found = doubts(samples, audit(samples), scored)
    assert [(one.kind, *one.pair, one.beside) for one in found[:2]] == [
        ("label", 1, 4, 1), ("missing", 1, 1, 4),
    ]  # fmt: skip
    assert found[0].lead == found[1].lead
    assert found[1].doubt == pytest.approx(MISSING * found[0].doubt)
    assert [name for name, _ in found[0].reasons] == ["label_below"]
    assert [name for name, _ in found[1].reasons] == ["model_above"]
    assert texts_of(found[:2]) == [(1, 4), (1, 1)]


def test_what_the_texts_say_is_found_without_a_model(tmp_path: Path) -> None:
    other = {"ground_truth_contexts": ["A ship."], "gt_chunk_id": "c1", "gt_chunk_ids": ["c1"]}
    rows = [
        sample([*plain(2), ("n9", NEARLY)]),
        sample([("n8", "It was Elba.")], question="Why?", qa_id="q1", **other),
    ]
    samples = Samples.load_jsonl(write_jsonl(tmp_path / "d.jsonl", rows))
    found = doubts(samples, audit(samples), None)
    names = [(samples.qa_ids[one.row], samples.context_ids[one.context]) for one in found]
    assert names == [("q0", "n9"), ("q1", "n8")]
    assert {name for name, _ in found[0].reasons} == {"near_duplicate", "contains_answer"}
    assert [one.lead for one in found] == [None, None]
    assert samples.context_ids[found[1].beside or 0] == "c1"


def test_a_label_without_the_answer_is_more_doubtful(tmp_path: Path) -> None:
    rows = [
        sample([("n0", "It was Elba.")], qa_id="q0", question="One?", answer="Elba",
               ground_truth_contexts=["A ship."], gt_chunk_ids=["c0"]),
        sample([("n1", "It was Corsica.")], qa_id="q1", question="Two?", answer="Malta",
               ground_truth_contexts=["A boat."], gt_chunk_ids=["c1"], gt_chunk_id="c1"),
    ]  # fmt: skip
    samples = Samples.load_jsonl(write_jsonl(tmp_path / "d.jsonl", rows))
    scores = np.asarray([0.1, 0.5, 0.1, 0.5], np.float32)
    found = doubts(samples, audit(samples, Evidence(scores=scores)), score_lists(samples, scores))
    assert [(one.row, one.kind) for one in found] == [
        (0, "label"), (0, "missing"), (1, "label"), (1, "missing"),
    ]  # fmt: skip
    assert [name for name, _ in found[0].reasons] == ["label_below", "no_answer"]


@given(st.integers(0, 2**32 - 1))
def test_the_scores_of_a_run_are_those_of_the_slow_twin(seed: int) -> None:
    random = np.random.default_rng(seed)
    size = int(random.integers(1, 9))
    texts = [f"Text {random.integers(size)}." for _ in range(size)]
    samples = corpus_of(texts, [[int(random.integers(size))] for _ in range(3)])
    found = [random.permutation(size)[: random.integers(0, size + 1)] for _ in range(3)]
    # Few values, so that some are equal.
    scores = [random.integers(-3, 4, len(rows)).astype(np.float32) for rows in found]
    scored = score_run(samples, RunScores(found, scores))
    for row, (rows, values) in enumerate(zip(found, scores, strict=True)):
        (label,) = samples.candidates[samples.offsets[row] : samples.offsets[row + 1]].tolist()
        known = dict(zip(rows.tolist(), values.tolist(), strict=True))
        others = sorted((-score, one) for one, score in known.items()
                        if texts[one] != texts[label])  # fmt: skip
        assert list(scored.others[row].items()) == [(one, -2 * s) for s, one in others[:OTHERS]]
        assert scored.own[row].keys() == ({label} if known else set())
        if label in known:
            assert scored.own[row][label] == 2 * known[label]
        elif known:
            assert scored.own[row][label] < 2 * min(known.values())


def test_scores_that_are_not_finite_tell_nothing(tmp_path: Path) -> None:
    samples = Samples.load_jsonl(write_jsonl(tmp_path / "d.jsonl", [sample(plain(2))]))
    scores = np.asarray([np.nan, 0.5, np.inf], np.float32)
    scored = score_lists(samples, scores)
    assert scored.own == [{}]
    assert list(scored.others[0].values()) == [1.0]
    assert doubts(samples, audit(samples), scored) == []


def test_a_cross_encoder_counts_as_much_as_the_model() -> None:
    first = Doubt(0, "label", 0, 1, lead=1.0, cross_lead=-90.0)
    second = Doubt(1, "label", 2, 3, lead=0.9, cross_lead=90.0)
    assert [one.row for one in ordered([first, second])] == [1, 0]
    # One that has scored nothing changes no order.
    bare = [Doubt(row, "label", 0, 1, lead=float(row)) for row in range(3)]
    assert [one.row for one in ordered(bare)] == [2, 1, 0]
    assert ordered([]) == []
