"""JSONL of Tevatron: ids, titles and both lists of passages."""

from __future__ import annotations

from pathlib import Path

import pytest

from stage2._core import InputError
from stage2.config import Settings
from stage2.data.formats import read
from stage2.variants import format_of
from tests.formats import questions_of, read_file
from tests.small import write_jsonl

ROWS = [
    {
        "query_id": 1,
        "query": "who?",
        "positive_passages": [{"docid": "7", "title": "", "text": "he"}],
        "negative_passages": [{"docid": 8, "title": "T", "text": "it"}],
    },
    {
        "query_id": "1b",
        "query": "what?",
        "positive_passages": [{"docid": 7, "title": None, "text": "he"}],
    },
]


def test_a_whole_number_and_a_text_are_the_same_id(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", ROWS)
    assert format_of(path, None) == "tevatron"
    found = read_file(path)
    assert [one.id for one in questions_of(found)] == ["1", "1b"]
    assert found.chunk_ids == ["7", "8"]
    assert found.titles == ["", "T"]
    contents = read(Settings(data=str(path)), False)
    assert contents.dataset is not None
    assert list(contents.dataset.chunk_texts) == ["he", "T it"]
    assert contents.notes == ("the negatives are those of the data, 1; 1 questions have none",)


def test_an_id_has_one_text(tmp_path: Path) -> None:
    other = {**ROWS[1], "positive_passages": [{"docid": 7, "text": "another"}]}
    path = write_jsonl(tmp_path / "x.jsonl", [ROWS[0], other])
    with pytest.raises(InputError, match=r"x.jsonl:2:1: the chunk '7' has another text"):
        read_file(path)
    path = write_jsonl(tmp_path / "x.jsonl", [ROWS[0], {**ROWS[1], "query_id": "1"}])
    with pytest.raises(InputError, match=r"x.jsonl:2:1: the question id '1' is that of another"):
        read_file(path)
    left = read_file(path, on_error="skip")
    assert [row.reason for row in left.rejected] == ["duplicate_qa_id"]
    assert left.chunk_ids == ["7", "8"]
