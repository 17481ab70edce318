"""The questions on the page: the change of their ranks, and their texts in pieces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2.report.question_ranks import cases, pieces, ranks, read_candidates, score_pairs
from stage2.report.run import read_run
from stage2.utils import files
from tests.small import write_jsonl


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], [("abcdef", False)]),
        ([(0, 6)], [("abcdef", True)]),
        ([(1, 3), (2, 4)], [("a", False), ("bc", True), ("d", True), ("ef", False)]),
        ([(1, 4), (2, 3)], [("a", False), ("bcd", True), ("ef", False)]),
    ],
)
def test_each_character_stands_in_one_piece(
    spans: list[tuple[int, int]], expected: list[tuple[str, bool]]
) -> None:
    assert list(pieces("abcdef", spans)) == expected


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted), max_size=5))
def test_pieces_make_the_text(spans: list[list[int]]) -> None:
    text = "0123456789"
    marked = {place for start, end in spans for place in range(start, end)}
    found = list(pieces(text, sorted(map(tuple, spans))))
    assert "".join(piece for piece, _ in found) == text
    assert {int(char) for piece, inside in found if inside for char in piece} == marked


def evaluated(ranked: list[float]) -> list[dict[str, Any]]:
    return [
        {
            "qa_id": number,
            "question": f"question {number}",
            "similarities": {"0": 0.5, "1": 0.25},
            "consistency_metrics": {"expected_rank": rank},
        }
        for number, rank in enumerate(ranked)
    ]


def test_without_ranks_of_their_own_they_are_those_of_the_evaluations(tmp_path: Path) -> None:
    assert ranks(read_run(tmp_path)) == []
    files.write_json(tmp_path / files.EVALUATION, evaluated([2, 1, 3, 2, 2]))
    alone = ranks(read_run(tmp_path))
    assert [row["kind"] for row in alone] == [None] * 5
    assert {row["change"] for row in alone} == {"same"}
    files.write_json(tmp_path / files.EVALUATION_AFTER, evaluated([1, 2, 2, 3, 2]))
    rows = ranks(read_run(tmp_path))
    assert [row["change"] for row in rows] == ["fixed", "broken", "better", "worse", "same"]
    assert [row["kind"] for row in rows] == ["fixed", "broken", "hard", "hard", "hard"]
    files.write_json(tmp_path / files.EVALUATION, evaluated([1, 2, 2, 3, 2]))
    assert [row["kind"] for row in ranks(read_run(tmp_path))][:2] == ["first", "hard"]


def test_contexts_are_read_by_their_scores_after_training(tmp_path: Path) -> None:
    files.write_json(tmp_path / files.EVALUATION, evaluated([2.0]))
    after = evaluated([2.0])
    after[0]["similarities"] = {"0": 0.1, "1": 0.9}
    files.write_json(tmp_path / files.EVALUATION_AFTER, after)
    sample = {"qa_id": "0", "question": "question 0", "ground_truth_contexts": ["right"],
              "negative_contexts": ["wrong"]}  # fmt: skip
    write_jsonl(tmp_path / files.CONSTRUCTED, [sample])
    run = read_run(tmp_path)
    (case,) = cases(run, ranks(run), read_candidates(run), "{count} more")["hard"]
    assert [context["text"] for context in case["contexts"]] == [
        [("wrong", False)], [("right", False)]
    ]  # fmt: skip
    assert [context["right"] for context in case["contexts"]] == [False, True]
    assert [context["before"] for context in case["contexts"]] == [0.25, 0.5]


def test_scores_are_the_best_ground_truth_and_the_hardest_negative(tmp_path: Path) -> None:
    before = evaluated([1, 1, 1])
    before[0]["similarities"] = {"0": 0.3, "1": 0.5, "2": 0.4, "3": 0.45}
    before[1]["similarities"] = {"0": 0.9, "1": 0.8}
    files.write_json(tmp_path / files.EVALUATION, before)
    # The second question has no negative, and the texts of the third are not known.
    samples = [
        {"qa_id": number, "question": "", "ground_truth_contexts": ["right", "too"],
         "negative_contexts": wrong}
        for number, wrong in enumerate([["wrong", "more so"], []])
    ]  # fmt: skip
    write_jsonl(tmp_path / files.CONSTRUCTED, samples)
    run = read_run(tmp_path)
    assert score_pairs(ranks(run), read_candidates(run)) == {"before": [(0.5, 0.45)], "after": []}
