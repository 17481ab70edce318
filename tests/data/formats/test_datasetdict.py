"""A folder of several splits: they are sides."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stage2.config import Settings
from stage2.data.formats import read
from stage2.utils.errors import BadInputError
from stage2.variants import format_of
from tests.data.formats.test_datasets import save
from tests.formats import read_file


def write(folder: Path, **splits: list[str]) -> Path:
    for name, questions in splits.items():
        save(folder / name, {"query": questions, "text": [f"text of {one}" for one in questions]})
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": [*splits]}))
    return folder


def test_splits_are_sides_by_their_names(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", train=["a", "b"], validation=["c"], test=["d"])
    assert format_of(folder, None) == "datasetdict"
    contents = read(Settings(data=str(folder)), False)
    assert contents.dataset is not None
    ids = dict(zip(contents.dataset.qa_ids, contents.dataset.questions, strict=True))
    assert contents.sides is not None
    assert {side: [ids[one] for one in own] for side, own in contents.sides.items()} == {
        "train": ["a", "b"], "dev": ["c"], "test": ["d"]
    }  # fmt: skip
    assert contents.judgements == ("train/state.json", "validation/state.json", "test/state.json")


def test_a_question_on_two_sides_and_other_names_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", train=["a", "b"], test=["b", "c"])
    with pytest.raises(BadInputError, match="is on two sides of the split, train and test"):
        read_file(folder)
    assert [row.reason for row in read_file(folder, on_error="skip").rejected] == ["on_two_sides"]
    folder = write(tmp_path / "e", train=["a"], more=["b"])
    with pytest.raises(BadInputError, match="the split 'more' is named after no side"):
        read_file(folder)
    assert read_file(write(tmp_path / "f", more=["b"])).sides is None
