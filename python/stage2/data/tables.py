"""A data set of another tool's format, as it was read or is to be written.

Readers give `Tables` and writers take them, so that any format can be converted to any other. What
the core cannot hold, such as a teacher's scores or the judgements of chunks that are not relevant,
stands in them too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from stage2._core import TextColumn
from stage2.data.left_out import LeftOut

if TYPE_CHECKING:
    from stage2._core._types import Floats, Ints

# Texts, "" or None for none.
Texts: TypeAlias = Sequence[str | None]


@dataclass(frozen=True)
class Chunk:
    """A chunk of a corpus. Without an id it is known by its title and text.

    Attributes:
        text: its text.
        title: its title; empty if it has none.
        id: its id; None if the format has none.
    """

    text: str
    title: str = ""
    id: str | None = None


@dataclass(frozen=True)
class Candidate:
    """A chunk that a question was judged with, or that was given as its negative.

    Attributes:
        chunk: the chunk.
        grade: its relevance; None if nobody graded it.
        score: a teacher's score of the two texts; None if there is none.
    """

    chunk: Chunk
    grade: float | None = None
    score: float | None = None


@dataclass(frozen=True)
class Question:
    """A question with all that is known of it.

    Attributes:
        text: its text.
        id: its id; None if the format has none.
        relevant: the chunks that answer it, the most relevant first if they have no grades. Their
            grades are above 0.
        negatives: the chunks that do not. Their grades are 0 or less.
        answer: its answer; empty if it has none.
        prompt: what a model is to read before it; empty if nothing is given.
        side: the side of the split that it is on; None if the format tells none.
    """

    text: str
    id: str | None = None
    relevant: tuple[Candidate, ...] = ()
    negatives: tuple[Candidate, ...] = ()
    answer: str = ""
    prompt: str = ""
    side: str | None = None


@dataclass(frozen=True)
class Lists:
    """The candidates of n questions in CSR form, those of question i at offsets[i]:offsets[i + 1].

    Attributes:
        offsets: int64 (n + 1,).
        chunks: int64 (m,), rows of the chunks.
        grades: float64 (m,), NaN where there is none; None if there are none at all.
        scores: float64 (m,), a teacher's, as `grades`.
    """

    offsets: Ints
    chunks: Ints
    grades: Floats | None = None
    scores: Floats | None = None

    def of(self, question: int) -> Iterator[tuple[int, float | None, float | None]]:
        """Yield the chunk, the grade and the score of each candidate of a question."""
        for place in range(self.offsets[question], self.offsets[question + 1]):
            yield int(self.chunks[place]), _at(self.grades, place), _at(self.scores, place)

    def graded(self, usual: float) -> int:
        """Count the grades that are not the usual one, which a chunk without a grade has."""
        if self.grades is None:
            return 0
        return int(np.count_nonzero(~np.isnan(self.grades) & (self.grades != usual)))

    def take(self, rows: Ints) -> Lists:
        """Return the lists of the questions at `rows`, int64 (k,)."""
        lengths = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        places = np.repeat(self.offsets[:-1][rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
        values = (None if one is None else one[places] for one in (self.grades, self.scores))
        return Lists(offsets, self.chunks[places], *values)


@dataclass(frozen=True)
class Tables:
    """A data set: n questions, N chunks, and which chunks are whose candidates.

    Attributes:
        questions: n texts.
        question_ids: n ids.
        texts: N texts.
        chunk_ids: N ids.
        relevant: the relevant chunks of each question.
        negatives: the chunks that were given as a question's negatives, or judged as not relevant.
        titles: N titles; None if no chunk has one.
        answers: n answers, as `titles`.
        prompts: n prompts, as `titles`.
        sides: by the side of a split the rows of its questions; None if no side is told.
        made_ids: which ids were made here: `questions`, `chunks`.
        judged_only: whether the negatives are judgements, of which a question may have none, and
            not the candidates that a training is to have.
        notes: sentences for people on what was made, chosen or left out.
        unused: how often each thing occurs that these tables do not hold, by its name.
        rejected: the rows that were left out.
        judgements: names of the files that say what answers the questions, where they stand apart.
    """

    questions: Texts
    question_ids: Sequence[str]
    texts: Texts
    chunk_ids: Sequence[str]
    relevant: Lists
    negatives: Lists
    titles: Texts | None = None
    answers: Texts | None = None
    prompts: Sequence[str] | None = None
    sides: Mapping[str, Ints] | None = None
    made_ids: frozenset[str] = frozenset()
    judged_only: bool = False
    notes: tuple[str, ...] = ()
    unused: Counter[str] = field(default_factory=Counter)
    rejected: tuple[LeftOut, ...] = ()
    judgements: tuple[str, ...] = ()

    def chunks(self) -> list[Chunk]:
        """Return all chunks."""
        texts = texts_of(self.texts)
        titles = [""] * len(texts) if self.titles is None else texts_of(self.titles)
        return [Chunk(*row) for row in zip(texts, titles, self.chunk_ids, strict=True)]

    def rows(self, chunks: Sequence[Chunk]) -> Iterator[Question]:
        """Yield all questions.

        Args:
            chunks: those of `chunks`.
        """
        questions = texts_of(self.questions)
        none = [""] * len(questions)
        answers = none if self.answers is None else texts_of(self.answers)
        prompts = none if self.prompts is None else self.prompts
        sides = {int(row): side for side, rows in (self.sides or {}).items() for row in rows}
        for row, text in enumerate(questions):
            relevant, negatives = (
                tuple(Candidate(chunks[chunk], *values) for chunk, *values in lists.of(row))
                for lists in (self.relevant, self.negatives)
            )
            yield Question(
                text, self.question_ids[row], relevant, negatives, answers[row], prompts[row],
                sides.get(row),
            )  # fmt: skip


def texts_of(column: Texts) -> list[str]:
    """Return the texts of a column, "" for none."""
    # The core's column gives all its texts at once.
    return column[:] if isinstance(column, TextColumn) else [text or "" for text in column]


def made_id(*texts: str) -> str:
    """Return an id that follows from texts alone: 16 hexadecimal digits.

    The same texts have the same id in any file and any order, so that more data moves no question
    to another side of a split.
    """
    digest = blake2b(digest_size=8)
    for text in texts:
        content = text.encode()
        # The length keeps ("a", "bc") from ("ab", "c").
        digest.update(b"%d:" % len(content) + content)
    return digest.hexdigest()


def _at(values: Floats | None, place: int) -> float | None:
    if values is None or np.isnan(values[place]):
        return None
    return float(values[place])
