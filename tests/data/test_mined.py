"""A mined set: samples with the score of each candidate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stage2 import Samples
from stage2.data.mined import MinedSet
from stage2.data.tables import Candidate, Chunk, Question
from tests.small import write_jsonl


def samples(folder: Path) -> Samples:
    rows = [
        {
            "qa_id": name,
            "question": f"question {name}",
            "ground_truth_contexts": ["one", "two"],
            "gt_chunk_ids": ["c1", "c2"],
            "gt_grades": [2, 1],
            "negative_contexts": ["three"],
            "negative_chunk_ids": ["c3"],
        }
        for name in "ab"
    ]
    return Samples.load_jsonl(write_jsonl(folder / "samples.jsonl", rows))


def test_passages_have_ids_scores_and_grades(tmp_path: Path) -> None:
    known = {("c1", "one"): 0.1, ("c2", "two"): 0.25, ("c3", "three"): -0.123457}
    mined = MinedSet.of(samples(tmp_path), dict.fromkeys("ab", known))
    assert len(mined) == 2
    first, second = mined
    assert first == Question(
        "question a", "a",
        (Candidate(Chunk("one", id="c1"), 2, 0.1), Candidate(Chunk("two", id="c2"), 1, 0.25)),
        (Candidate(Chunk("three", id="c3"), 0, -0.123457),),
    )  # fmt: skip
    assert list(mined.take([1])) == [second]
    assert mined.scores.dtype == np.float32


def test_a_missing_score_names_the_question(tmp_path: Path) -> None:
    with pytest.raises(LookupError) as caught:
        MinedSet.of(samples(tmp_path), {"a": {("c1", "one"): 0.1}})
    assert caught.value.args == ("a",)
