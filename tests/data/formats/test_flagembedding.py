"""JSONL of FlagEmbedding: what is read of it, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stage2._core import InputError
from stage2.config import Settings
from stage2.data.formats import read
from stage2.variants import format_of
from tests.formats import questions_of, read_file
from tests.small import write_jsonl

GOOD = {"query": "who?", "pos": ["he", "him"], "neg": ["it"], "prompt": "P: "}


def test_the_negatives_are_the_candidates_and_scores_are_said_to_be_unused(tmp_path: Path) -> None:
    rows = [
        {**GOOD, "pos_scores": [1, 0.5], "neg_scores": [-3.5]},
        {"query": "where?", "pos": ["here"], "neg": ["HE", "here "]},
    ]
    path = write_jsonl(tmp_path / "x.jsonl", rows)
    assert format_of(path, None) == "flagembedding"
    [first, second] = questions_of(read_file(path))
    assert [one.score for one in (*first.relevant, *first.negatives)] == [1, 0.5, -3.5]
    assert (first.prompt, second.negatives[0].chunk.text) == ("P: ", "HE")
    contents = read(Settings(data=str(path)), False)
    assert contents.dataset is not None
    assert contents.samples is not None
    # "here " is the ground truth of its question, white space aside.
    assert list(contents.samples.num_relevant) == [2, 1]
    assert list(contents.samples.offsets) == [0, 3, 5]
    assert contents.notes == (
        "1 negatives have the text of a ground truth of their question; they are left out",
        "the negatives are those of the data, 2",
        "the data have 3 scores of a teacher, which --loss margin-mse and distill-kl learn with "
        "--teacher data",
        "1 prompts of the data are not read; --query-prompt gives one for all",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pos": "he"}, '2:26: "pos" is a text; expected a list'),
        ({"neg": [""]}, '2:49: an element of "neg" is empty or only white space; expected text'),
        ({"neg": [None]}, 'an element of "neg" is null; expected a text'),
        ({"pos": None}, 'the row has no "pos"; expected that member'),
        ({"query": " "}, '2:11: "query" is empty or only white space'),
        ({"neg_scores": [1, 2]}, '"neg_scores" has 2 elements, "neg" has 1; expected one score'),
        ({"pos_scores": ["1", 2]}, 'an element of "pos_scores" is a text; expected a number'),
        ({"pos": ["\ud800"]}, 'an element of "pos" has half of a surrogate pair'),
    ],
)
def test_a_wrong_row_is_named_by_its_place(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n{json.dumps(GOOD | change)}\n")
    with pytest.raises(InputError) as caught:
        read_file(path)
    assert f"{path}:2:" in str(caught.value)
    assert message in str(caught.value)
    left = read_file(path, on_error="skip")
    assert len(left.question_ids) == 1
    assert [(row.line, row.column) for row in left.rejected] == [(2, caught.value.column)]
    assert left.rejected[0].message in str(caught.value)


def test_rows_of_a_question_are_one(tmp_path: Path) -> None:
    rows = [GOOD, {"query": "who?", "pos": ["she"], "neg": ["he"], "more": 1}]
    found = read_file(write_jsonl(tmp_path / "x.jsonl", rows))
    [question] = questions_of(found)
    assert [one.chunk.text for one in question.relevant] == ["he", "him", "she"]
    assert [one.chunk.text for one in question.negatives] == ["it"]
    assert found.unused == {"members 'more'": 1, "negatives that are relevant too": 1}
