"""The scores of a teacher that a data set has, found by ids, or by the question's text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stage2.config import Settings
from stage2.data.formats import read
from stage2.data.given_scores import GivenScores, scored
from stage2.data.tables import Lists
from tests.small import write_jsonl


def lists(offsets: list[int], chunks: list[int], scores: list[float] | None) -> Lists:
    found = None if scores is None else np.asarray(scores)
    return Lists(np.asarray(offsets), np.asarray(chunks), None, found)


def test_scores_are_found_by_ids_and_then_by_text() -> None:
    relevant = lists([0, 1, 2], [0, 1], [3.0, 0.5])
    negatives = lists([0, 2, 2], [1, 2], [-1.0, np.nan])
    given = GivenScores(["a", "b"], ["who", "who"], ["x", "y", "z"], (relevant, negatives))
    assert (scored(relevant), scored(negatives), scored(lists([0], [], None))) == (2, 1, 0)
    pairs = [("a", "x"), ("a", "y"), ("b", "y"), ("b", "x"), ("a", "z"), ("c", "x"), ("d", "x")]
    texts = ["who"] * 6 + ["where"]
    found = given.of([name for name, _ in pairs], texts, [chunk for _, chunk in pairs])
    # The question b has the ground truths of a, whose text it has too; d is another question.
    assert found.tolist()[:4] == [3.0, -1.0, 0.5, 3.0]
    assert np.isnan(found[[4, 6]]).all()
    assert found[5] == 3.0
    assert given.of([], [], []).shape == (0,)


@pytest.mark.parametrize(
    "row",
    [
        {"query": "who", "pos": ["he"], "neg": ["she", "it"], "pos_scores": [4.5],
         "neg_scores": [0.25, -2]},
        {"anchor": "who", "positive": "he", "negative_1": "she", "negative_2": "it",
         "label": [4.5, 0.25, -2]},
    ],
    ids=["flagembedding", "sentence-transformers"],
)  # fmt: skip
def test_formats_that_have_scores_give_them(tmp_path: Path, row: dict[str, Any]) -> None:
    contents = read(Settings(data=str(write_jsonl(tmp_path / "x.jsonl", [row]))), False)
    assert contents.scores is not None
    assert contents.samples is not None
    samples = contents.samples
    ids = samples.context_ids.take(np.asarray(samples.candidates))
    texts = samples.contexts.take(np.asarray(samples.candidates))
    found = contents.scores.of([samples.qa_ids[0]] * 3, ["who"] * 3, ids)
    assert dict(zip(texts, found.tolist(), strict=True)) == {"he": 4.5, "she": 0.25, "it": -2}


def test_data_without_scores_have_none(tmp_path: Path) -> None:
    row = {"query": "who", "pos": ["he"], "neg": ["she"]}
    contents = read(Settings(data=str(write_jsonl(tmp_path / "x.jsonl", [row]))), False)
    assert contents.scores is None
