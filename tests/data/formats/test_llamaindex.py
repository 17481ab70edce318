"""LlamaIndex's QA data sets: texts by ids, and which answer which."""

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

WHOLE: dict[str, Any] = {
    "queries": {"q1": "who?", "q2": "what?"},
    "corpus": {"a": "he", "b": "it", "c": "other"},
    "relevant_docs": {"q1": ["b", "a"]},
    "mode": "text",
}


def write(path: Path, **change: Any) -> Path:
    path.write_text(json.dumps(WHOLE | change))
    return path


def test_a_question_has_the_documents_of_its_id(tmp_path: Path) -> None:
    path = write(tmp_path / "x.json")
    assert format_of(path, None) == "llamaindex"
    [first, second] = questions_of(read_file(path))
    assert [one.chunk.id for one in first.relevant] == ["b", "a"]
    assert second.relevant == ()
    contents = read(Settings(data=str(path)), False)
    assert contents.dataset is not None
    assert (contents.dataset.num_qa, contents.dataset.num_chunks) == (1, 3)
    assert contents.notes == (
        f"{path}: 1 of 2 questions have no relevant chunk; they are left out",
    )


def test_ids_are_looked_up(tmp_path: Path) -> None:
    path = write(tmp_path / "x.json", relevant_docs={"q1": ["b", "d"]})
    with pytest.raises(InputError, match=r"there is no chunk 'd' in \"corpus\"") as caught:
        read_file(path)
    assert path.read_text()[caught.value.column - 1 :].startswith('"d"')
    path = write(tmp_path / "x.json", relevant_docs={"q9": ["b"]})
    with pytest.raises(InputError, match='"q9" is no id of "queries"'):
        read_file(path)
    path = write(tmp_path / "x.json", relevant_docs={"q1": "b"})
    with pytest.raises(InputError, match='"q1" is a text; expected a list'):
        read_file(path)
