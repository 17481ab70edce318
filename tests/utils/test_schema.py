"""Files that are read back are checked against schemas, and errors name the place."""

from __future__ import annotations

from typing import Any

import pytest

from stage2.utils.errors import BadInputError
from stage2.utils.schema import SCHEMAS, check_schema
from tests.comparisons import held_out_comparison, with_baselines

PART = held_out_comparison()["sets"][1]


def test_a_file_of_no_schema_holds_anything() -> None:
    check_schema("other.json", {"whatever": None})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("run.json", [], r"it is \[\]; expected an object"),
        ("run.json", {"stages": {"mine": {"made_from": {}}}}, "stages.mine.seconds is missing"),
        ("run.json", {"begun": ["mine", 3]}, r"begun\[1\] is 3; expected text"),
        ("run.json", {"split": {"by": None}}, "split.by is None; expected text"),
        ("chosen.json", {"made_from": {}, "name": "epoch 1", "dev_value": True},
         "dev_value is True; expected a whole number or a number"),
        ("split.json", {"train": "q1"}, "train is 'q1'; expected an array"),
        ("comparison.json", {"sets": [PART | {"baselines": {"bm25": PART["before"]}}]},
         r"sets\[0\].baselines.bm25.intervals is missing"),
        ("per_question.jsonl",
         [{"qa_id": "q", "question": "?", "change": "same", "ranks": {"corpus": {"bm25": "1"}}}],
         r"ranks.corpus.bm25 is '1'; expected"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_its_place(name: str, value: Any, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        check_schema(f"out/{name}", value)


def test_what_may_be_absent_may_be_null() -> None:
    check_schema("run.json", {"stages": None, "shipped": None})
    check_schema("chosen.json", {"made_from": {}, "name": "stage 1"})


def test_a_comparison_may_have_baselines() -> None:
    check_schema("comparison.json", held_out_comparison())
    check_schema("comparison.json", with_baselines(held_out_comparison()))


def test_only_a_damaged_record_is_not_made_anew() -> None:
    with pytest.raises(BadInputError, match="Restore it, or give another --output-dir"):
        check_schema("run.json", 1)
    with pytest.raises(BadInputError, match="and --overwrite"):
        check_schema("split.json", 1)


def test_both_evaluations_have_one_schema() -> None:
    assert SCHEMAS["evaluation_after_training.json"] == SCHEMAS["evaluation_results.json"]
