"""`data.joined_tables`: the tables of several files as one data set."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from stage2.config import InputConfig
from stage2.data.joined_tables import joined
from stage2.data.table_builder import TableBuilder
from stage2.data.tables import Candidate, Chunk, Question, Tables
from stage2.utils.errors import BadInputError
from tests.formats import questions_of


def table(**questions: str) -> Tables:
    builder = TableBuilder()
    for name, text in questions.items():
        builder.add(Question(text, id=name, relevant=(Candidate(Chunk(f"text of {text}")),)))
    builder.notes.append(f"a note on {list(questions)}")
    return builder.tables()


def join(
    *parts: tuple[str | None, Tables], on_error: Literal["strict", "skip"] = "strict"
) -> Tables:
    named = [(Path(f"file {i}"), *part) for i, part in enumerate(parts)]
    return joined(named, InputConfig(on_error=on_error), ["a", "b"])


def test_questions_of_all_tables_are_there_with_their_sides() -> None:
    made = join(("train", table(a="A", b="B")), ("train", table(b="B")), ("test", table(c="C")))
    assert [(one.id, one.text, one.side) for one in questions_of(made)] == [
        ("a", "A", "train"), ("b", "B", "train"), ("c", "C", "test")
    ]  # fmt: skip
    assert len(made.texts) == 3
    assert len(made.notes) == 3
    assert made.judgements == ("a", "b")
    assert join((None, table(a="A")), (None, table(b="B"))).sides is None


def test_tables_that_contradict_each_other_are_refused() -> None:
    parts = (("train", table(a="A")), ("test", table(a="A", b="B")))
    with pytest.raises(BadInputError, match="file 1: the question 'a' is on two sides"):
        join(*parts)
    made = join(*parts, on_error="skip")
    assert [(row.file, row.reason) for row in made.rejected] == [("file 1", "on_two_sides")]
    assert list(made.question_ids) == ["a", "b"]
    with pytest.raises(BadInputError, match="the question id 'a' is that of another question"):
        join((None, table(a="A")), (None, table(a="B")))
