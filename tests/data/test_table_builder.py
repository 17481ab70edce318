"""Questions and chunks, collected into tables."""

from __future__ import annotations

import pytest

from stage2.data.table_builder import ConflictError, TableBuilder
from stage2.data.tables import Candidate, Chunk, Question
from tests.formats import questions_of


def test_rows_of_a_question_are_one_and_a_grade_that_comes_late_counts() -> None:
    builder = TableBuilder()
    a, b = Chunk("a"), Chunk("b", "T")
    builder.add(Question("q", relevant=(Candidate(a),), negatives=(Candidate(b),)))
    builder.add(Question("q", relevant=(Candidate(a, 2.0, 0.5), Candidate(b)), answer="x"))
    found = builder.tables()
    [question] = questions_of(found)
    assert [(one.chunk.text, one.grade, one.score) for one in question.relevant] == [
        ("a", 2.0, 0.5), ("b", None, None)
    ]  # fmt: skip
    assert (question.negatives, question.answer) == ((), "x")
    assert found.unused == {"negatives that are relevant too": 1}
    assert found.made_ids == {"questions", "chunks"}


def test_a_question_that_contradicts_itself_adds_nothing() -> None:
    builder = TableBuilder()
    chunks = Chunk("a", id="1"), Chunk("b", id="1")
    with pytest.raises(ConflictError, match="the chunk '1' has another text"):
        builder.add(Question("q", relevant=tuple(map(Candidate, chunks))))
    assert len(builder) == 0
    builder.add(Question("q", id="7", side="train"))
    with pytest.raises(ConflictError, match="on two sides of the split, train and test"):
        builder.add(Question("q", id="7", side="test"))
    with pytest.raises(ConflictError, match="the question id '7' is that of another"):
        builder.add(Question("r", id="7", side="train"))
