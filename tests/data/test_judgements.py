"""Files of judgements: what is read, and what is refused at which place."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stage2._core import InputError
from stage2.config import Settings
from stage2.data.judgements import Judgement, question_hash, read_judgements, row_of
from stage2.data.tables import Lists, Tables
from tests.small import write_jsonl

NOBODY = Lists(np.zeros(3, np.int64), np.empty(0, np.int64))
TABLES = Tables(["who?", "where?"], ["q0", "7"], ["he", "here"], ["c0", "c1"], NOBODY, NOBODY)
GOOD = {"question_id": "q0", "chunk_id": "c1", "judgement": "answer", "by": "Ada"}


def read(path: Path, **settings: Any) -> list[Judgement]:
    return read_judgements([path], TABLES, Settings(**settings))[0]


def test_all_members_are_read_plain_and_compressed(tmp_path: Path) -> None:
    rows = [
        {**GOOD, "score": 0.5, "note": "n", "at": "2026-01-01T00:00:00Z", "unknown": 1},
        {**GOOD, "question_id": 7, "judgement": "unsure"},
    ]
    path = write_jsonl(tmp_path / "j.jsonl", rows)
    expected = [
        Judgement(0, 1, "answer", "Ada", 0.5, "n", "2026-01-01T00:00:00Z"),
        Judgement(1, 1, "unsure", "Ada"),
    ]
    assert read(path) == expected
    packed = tmp_path / "j.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read(packed) == expected
    assert read_judgements([path, packed], TABLES, Settings())[0] == expected * 2


def test_a_hash_finds_a_question_whose_id_is_another_now(tmp_path: Path) -> None:
    by_hash = {key: value for key, value in GOOD.items() if key != "question_id"}
    by_hash["question_hash"] = question_hash("where?")
    rows = [
        by_hash,
        {**by_hash, "question_id": "made anew"},
        row_of("7", "where?", "c0", "not", "x"),
    ]
    path = write_jsonl(tmp_path / "j.jsonl", rows)
    assert [one.question for one in read(path)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("changes", "reason", "said"),
    [
        ({"judgement": "yes"}, "unknown_judgement", "'yes'; expected answer, not or unsure"),
        ({"question_id": "q9"}, "unknown_question", "no question 'q9'"),
        ({"chunk_id": "c9"}, "unknown_chunk", "no chunk 'c9'"),
        ({"question_hash": "0" * 64}, "changed_question", "'q0' has another text"),
        ({"by": " "}, "empty_judge", '"by" is empty'),
        ({"by": None}, "missing_field", 'no "by"'),
        ({"score": "high"}, "wrong_type", '"score" is a text'),
    ],
)
def test_a_wrong_row_is_refused_at_its_place_or_left_out(
    tmp_path: Path, changes: dict[str, Any], reason: str, said: str
) -> None:
    path = write_jsonl(tmp_path / "j.jsonl", [GOOD, {**GOOD, **changes}])
    with pytest.raises(InputError) as refused:
        read(path)
    error = refused.value
    assert (error.line, error.reason) == (2, reason)
    # The place is that of the value; of a member that is missing that of the row.
    ((_, value),) = changes.items()
    line = path.read_text().splitlines()[1]
    assert error.column == (1 if value is None else line.index(json.dumps(value)) + 1)
    assert said in str(error)
    found, left = read_judgements([path], TABLES, Settings(on_error="skip"))
    assert len(found) == 1
    assert [(row.line, row.reason) for row in left] == [(2, reason)]


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text("\n")
    with pytest.raises(InputError, match="at least one judgement"):
        read(path)


def test_the_hash_is_the_sha256_of_the_text() -> None:
    # printf '北京?' | sha256sum
    assert question_hash("北京?") == (
        "db3e197a05dd060e765923522c298861ce8064392169ed4fd3a84b0becc7c6db"
    )
