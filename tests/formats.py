"""Data sets in other tools' formats, as tests compare them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from stage2.config import InputConfig
from stage2.data.formats import read_tables
from stage2.data.table_builder import TableBuilder
from stage2.data.tables import Candidate, Chunk, Question, Tables

# Texts that no format may mistake for its own marks.
_MARKS = ["日本語", 'he said "no", twice', "a\nb", "tab\there", "'", "null", "NaN", "1", "{}"]
TEXTS = st.sampled_from(_MARKS) | st.text(
    st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=9
).map(lambda text: f"x{text}")
# TREC has a question on a line.
_QUESTIONS = TEXTS.map(lambda text: " ".join(text.split()))
NAMES = st.text("abc12é", min_size=1, max_size=4)


def read_file(path: Path, **settings: Any) -> Tables:
    return read_tables(InputConfig(data=str(path), **settings))


def questions_of(tables: Tables) -> list[Question]:
    return list(tables.rows(tables.chunks()))


def alike(question: Question) -> Question:
    """Return a question with the grades that a chunk without one has."""
    relevant = tuple(replace(one, grade=one.grade or 1.0) for one in question.relevant)
    negatives = tuple(replace(one, grade=one.grade or 0.0) for one in question.negatives)
    return replace(question, relevant=relevant, negatives=negatives)


@st.composite
def tables(draw: st.DrawFn, held: frozenset[str], fractions: bool = True) -> Tables:
    """Draw a data set of nothing but what a format holds."""
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    texts = draw(st.lists(TEXTS, min_size=len(names), max_size=len(names), unique=True))
    titles = st.just("") if "titles" not in held else st.just("") | TEXTS
    chunks = [
        Chunk(text, draw(titles), name if "chunk_ids" in held else None)
        for name, text in zip(names, texts, strict=True)
    ]
    builder = TableBuilder()
    if "other_chunks" in held:
        for chunk in chunks:
            builder.add_chunk(chunk)
    asked = draw(st.lists(_QUESTIONS, min_size=1, max_size=4, unique=True))
    graded = "grades" in held and draw(st.booleans())
    scored = "scores" in held and draw(st.booleans())
    numbers = st.floats(-9, 9, width=32) if fractions else st.integers(-3, 3).map(float)
    scores = numbers if scored else st.none()
    above = numbers.filter(lambda grade: grade > 0) if graded else st.none()
    below = numbers.filter(lambda grade: grade <= 0) if graded else st.none()
    for number, text in enumerate(asked):
        order = draw(st.permutations(chunks))
        count = draw(st.integers(0 if "unanswered" in held else 1, len(order)))
        # In qrels a negative is a judgement, which has a grade.
        has_negatives = "negatives" in held or graded
        rest = draw(st.integers(0, len(order) - count)) if has_negatives else 0
        relevant = [Candidate(one, draw(above), draw(scores)) for one in order[:count]]
        relevant.sort(key=lambda one: -(one.grade or 1))
        others = order[count : count + rest]
        builder.add(
            Question(
                text,
                id=f"q{number}" if "question_ids" in held else None,
                relevant=tuple(relevant),
                negatives=tuple(Candidate(one, draw(below), draw(scores)) for one in others),
                answer=draw(st.just("") | TEXTS) if "answers" in held else "",
                prompt=draw(st.just("") | TEXTS) if "prompts" in held else "",
            )
        )
    return builder.tables()
