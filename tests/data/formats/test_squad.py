"""SQuAD: paragraphs are chunks, and questions without an answer are counted."""

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


def squad(*paragraphs: Any) -> dict[str, Any]:
    return {"version": "2.0", "data": [{"title": "T", "paragraphs": [one]} for one in paragraphs]}


def asked(number: int, **more: Any) -> dict[str, Any]:
    answers = [{"text": "a", "answer_start": 0}]
    return {"id": number, "question": f"q {number}?", "answers": answers, **more}


def test_questions_of_one_paragraph_share_its_chunk(tmp_path: Path) -> None:
    path = tmp_path / "squad.json"
    impossible = asked(3, is_impossible=True, answers=[])
    whole = squad(
        {"context": "a b", "qas": [asked(1), asked(2, is_impossible=False), impossible]},
        {"context": "c d", "qas": []},
        {"context": "a b", "qas": [asked(4)]},
    )
    path.write_text(json.dumps(whole, indent=1))
    assert format_of(path, None) == "squad"
    found = read_file(path)
    assert [one.id for one in questions_of(found)] == ["1", "2", "4"]
    assert [one.answer for one in questions_of(found)] == ["a"] * 3
    assert [chunk.text for chunk in found.chunks()] == ["a b", "c d"]
    assert found.relevant.chunks.tolist() == [0, 0, 0]
    assert found.notes == (
        f"{path}: 1 of 4 questions have no answer in their paragraph (is_impossible); they are "
        "left out",
    )


def test_a_fault_is_found_deep_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "squad.json"
    path.write_text('{"data": [\n {"paragraphs": [\n  {"context": "a",\n   "qas": "none"}]}]}')
    with pytest.raises(InputError, match=r'squad.json:4:11: "qas" is a text; expected a list'):
        read_file(path)
    path.write_text('{"data": [{"paragraphs": [{"context": "a", "qas": [{"question": ""}]}]}]}')
    with pytest.raises(InputError, match='1:65: "question" is empty or only white space'):
        read_file(path)
    with pytest.raises(InputError, match="all 1 rows are left out, the first for: "):
        read_file(path, on_error="skip")
    path.write_text('{"data": [')
    with pytest.raises(InputError, match=r"squad.json:1:11: this is not valid JSON"):
        read_file(path, format="squad")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_real_data_is_what_its_file_says(xquad: Path, language: str) -> None:
    path = xquad / f"xquad.{language}.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    paragraphs = [one for article in whole["data"] for one in article["paragraphs"]]
    dataset = read(Settings(data=str(path)), False).dataset
    assert dataset is not None
    assert list(dataset.chunk_texts) == list(dict.fromkeys(one["context"] for one in paragraphs))
    expected = [(str(q["id"]), q["question"]) for one in paragraphs for q in one["qas"]]
    assert list(zip(dataset.qa_ids, dataset.questions, strict=True)) == expected
