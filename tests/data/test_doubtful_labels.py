"""Doubtful labels: each kind is found where it is, and only there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stage2 import Dataset
from stage2.data.doubtful_labels import KINDS, Doubts, Ranks, doubtful_labels
from stage2.evaluation.bm25 import tokens_of

NAMES = "Arles Bath Cork Derby Essen Fulda Genoa Halle Izmir Jaffa".split()
CHUNKS = [
    f"{name} has {i * 7919} people, {i * 131} of them {name * 3}" for i, name in enumerate(NAMES)
]
NEAR = f"{CHUNKS[0]}."
FILL = [f"page {i} of {i * 7919} other {i * 31} things" for i in range(30)]


def look(
    rows: list[tuple[str, list[int], str]],
    chunks: list[str],
    model: list[float] | None = None,
    by_words: list[float] | None = None,
    first: list[list[int]] | None = None,
) -> Doubts:
    """Look at questions, each with its ground truths and its answer."""
    count = len(rows)
    offsets = np.cumsum([0, *(len(truths) for _, truths, _ in rows)]).astype(np.int64)
    flat = np.asarray([truth for _, truths, _ in rows for truth in truths], np.int64)
    dataset = Dataset.from_columns(
        [text for text, _, _ in rows], chunks, (offsets, flat),
        qa_ids=[f"q{i}" for i in range(count)],
        answers=[answer or None for _, _, answer in rows],
    )  # fmt: skip
    ranks = Ranks(
        np.full(count, len(chunks)),
        np.asarray(model or [1.0] * count),
        np.asarray(by_words or [1.0] * count),
        [np.asarray(one, np.int64) for one in first or [[]] * count],
    )
    return doubtful_labels(dataset.construct(1), ranks, 0.8, tokens_of)


def kinds(found: Doubts) -> dict[str, list[int]]:
    return {kind: [one.row for one in every] for kind, every in found.found.items() if every}


def test_questions_that_contradict_each_other() -> None:
    found = look(
        [
            ("Where is Arles?", [0], ""),
            ("where is  ARLES", [1], ""),  # worded alike, another chunk
            ("Where is Bath?", [2], ""),
            ("Where is Bath?", [3], ""),  # the same text, another chunk
            ("Where is Cork?", [4], ""),
            ("Where is Cork?!", [4, 5], ""),  # they share a chunk
            ("Where is Derby?", [6], ""),  # one word is another: another question
        ],
        CHUNKS,
    )
    assert kinds(found) == {"contradiction": [0, 1, 2, 3]}
    assert [one.other for one in found.found["contradiction"]] == [1, 0, 3, 2]
    assert found.not_checked == ("answer_elsewhere",)
    assert found.doubtful == pytest.approx(4 / 7)


def test_words_of_most_questions_do_not_make_another_question() -> None:
    asked = [(f"please what is thing {i} x{i}", [i % 10], "") for i in range(30)]
    found = look([*asked, ("what is thing 3 x3", [7], "")], CHUNKS)
    assert kinds(found) == {"contradiction": [3, 30]}


def test_a_chunk_that_nearly_repeats_a_ground_truth() -> None:
    rows = [("Where is Arles?", [0], ""), ("Where is Bath?", [1], ""), ("And Arles?", [0, 10], "")]
    # A chunk with the very text is right wherever ranks count.
    found = look(rows, [*CHUNKS, NEAR, CHUNKS[1]])
    assert kinds(found) == {"near_truth": [0]}
    assert found.found["near_truth"][0].context == 10


def test_an_answer_in_a_chunk_above_the_ground_truth() -> None:
    chunks = [*FILL, "he was born in Arles long ago", "the town of Arles", "Arles is a town"]
    rows = [
        ("Where was he born?", [31], "Arles"),  # chunk 30 has it, above the ground truth
        ("Where was she born?", [31], "Arles"),  # it is below the ground truth
        ("Of what?", [31], "of"),  # the answer is in many chunks
        ("What was it?", [31], "Bath"),
    ]
    first = [[30, 31, 32], [31, 30, 32], [0, 30, 31], [30, 31]]
    found = look(rows, chunks, first=first)
    (one,) = found.found["answer_elsewhere"]
    assert (one.row, one.context, one.count, one.answer) == (0, 30, 1, "Arles")


def test_random_labels_are_seen_by_both_rankings() -> None:
    random = np.random.default_rng(0)
    rows = [(f"what of {i * 7919}?", [i % 30], "") for i in range(200)]
    model, by_words = (random.integers(1, 31, 200).astype(float).tolist() for _ in range(2))
    found = look(rows, FILL, model, by_words)
    middle = 15.5
    both = [i for i in range(200) if model[i] > middle and by_words[i] > middle]
    assert kinds(found)["unrelated"] == both
    assert found.doubtful > 0.75
    # A question that shares no word with any chunk ties with all, and one ranking is not enough.
    assert "unrelated" not in kinds(look(rows, FILL, model, [middle] * 200))
    assert "unrelated" not in kinds(look(rows[:9], CHUNKS, [10.0] * 9, [10.0] * 9))


def test_a_question_that_says_nothing() -> None:
    rows = [(f"what is the thing of {i * 7919}?", [i], "") for i in range(30)]
    rows += [("?!", [0], ""), ("what is the thing?", [1], ""), ("thing of 158380", [2], "")]
    found = look(rows, FILL)
    assert kinds(found)["empty"] == [30, 31]
    # Few questions have no common words.
    assert kinds(look([("the?", [0], ""), ("the…", [0], "")], CHUNKS)) == {}


def test_the_summary_has_counts_shares_and_examples() -> None:
    rows = [(f"Where is {i}?", [i % 10], "no") for i in range(12)]
    found = look([*rows, ("Where is 3?", [4], "no")], CHUNKS)
    summary: dict[str, Any] = found.summary()
    assert [kind["name"] for kind in summary["kinds"]] == list(KINDS)
    kind = summary["kinds"][0]
    assert (kind["count"], kind["share"]) == (2, 2 / 13)
    assert [one["qa_id"] for one in kind["examples"]] == ["q3", "q12"]
    assert kind["examples"][0]["other_question"] == "Where is 3?"
    assert kind["examples"][0]["chunk"] == CHUNKS[4]
