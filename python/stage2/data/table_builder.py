"""Tables made question by question, by the readers of formats whose rows are read in Python."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stage2.data.contents import SIDES
from stage2.data.left_out import LeftOut
from stage2.data.tables import Chunk, Lists, Question, Tables, made_id

_NONE = float("nan")


class ConflictError(ValueError):
    """A row contradicts an earlier one. The message says in what; the reader knows the place."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass
class _Candidates:
    """The candidates of a question: for each chunk its grade and its score."""

    chunks: dict[int, list[float | None]] = field(default_factory=dict)

    def add(self, chunk: int, grade: float | None, score: float | None) -> None:
        """Add a chunk, or what is not known of it yet."""
        known = self.chunks.setdefault(chunk, [None, None])
        for place, value in enumerate((grade, score)):
            if known[place] is None:
                known[place] = value


@dataclass
class _Asked:
    """A question under construction."""

    text: str
    answer: str
    prompt: str
    side: str | None
    relevant: _Candidates = field(default_factory=_Candidates)
    negatives: _Candidates = field(default_factory=_Candidates)


class TableBuilder:
    """Collects questions and chunks.

    A question with an id is known by it, one without by its text: rows of the same question are
    one, with the candidates of all. A chunk with an id is known by it, one without by its title and
    text.
    """

    def __init__(self) -> None:
        self.unused: Counter[str] = Counter()
        self.notes: list[str] = []
        self.rejected: list[LeftOut] = []
        self._chunks: dict[str, tuple[int, Chunk]] = {}
        self._questions: dict[str, _Asked] = {}
        self._made: set[str] = set()

    def add(self, question: Question) -> None:
        """Add a question with its candidates.

        Raises:
            ConflictError: it contradicts what was added before. Nothing is added then.
        """
        key = question.id if question.id is not None else made_id(question.text)
        asked = self._questions.get(key)
        if asked is not None:
            _check_same(key, asked, question)
        candidates = [*question.relevant, *question.negatives]
        self._check_chunks([candidate.chunk for candidate in candidates])
        if question.id is None:
            self._made.add("questions")
        if asked is None:
            asked = _Asked(question.text, question.answer, question.prompt, question.side)
            self._questions[key] = asked
        asked.answer = asked.answer or question.answer
        asked.prompt = asked.prompt or question.prompt
        for given, known in (
            (question.relevant, asked.relevant),
            (question.negatives, asked.negatives),
        ):
            for candidate in given:
                known.add(self.add_chunk(candidate.chunk), candidate.grade, candidate.score)

    def add_chunk(self, chunk: Chunk) -> int:
        """Add a chunk, and return its row.

        Raises:
            ConflictError: its id is that of another text.
        """
        key = self._key(chunk)
        known = self._chunks.get(key)
        if known is None:
            if chunk.id is None:
                self._made.add("chunks")
            self._chunks[key] = known = (len(self._chunks), chunk)
        elif known[1].text != chunk.text:
            raise ConflictError(
                "duplicate_chunk_id",
                f"the chunk {key!r} has another text than before; expected one text for an id",
            )
        return known[0]

    def take_over(self, tables: Tables) -> None:
        """Take over what was said of other tables, whose questions are added one by one."""
        self.unused.update(tables.unused)
        self.notes.extend(tables.notes)
        self.rejected.extend(tables.rejected)
        self._made |= tables.made_ids

    def chunk_named(self, chunk_id: str) -> Chunk | None:
        """Return the chunk with an id."""
        known = self._chunks.get(chunk_id)
        return None if known is None else known[1]

    def __len__(self) -> int:
        """Return the number of questions."""
        return len(self._questions)

    def tables(self, **more: Any) -> Tables:
        """Return all that was added. `more` are further attributes of `Tables`."""
        asked = list(self._questions.values())
        chunks = [chunk for _, chunk in self._chunks.values()]
        titles = [chunk.title for chunk in chunks]
        answers = [one.answer for one in asked]
        prompts = [one.prompt for one in asked]
        sides = {
            side: np.asarray([row for row, one in enumerate(asked) if one.side == side], np.int64)
            for side in SIDES
        }
        # A chunk that is relevant by one row is no negative by another.
        for one in asked:
            for chunk in one.relevant.chunks.keys() & one.negatives.chunks.keys():
                del one.negatives.chunks[chunk]
                self.unused["negatives that are relevant too"] += 1
        return Tables(
            questions=[one.text for one in asked],
            question_ids=list(self._questions),
            texts=[chunk.text for chunk in chunks],
            chunk_ids=list(self._chunks),
            relevant=_lists([one.relevant for one in asked]),
            negatives=_lists([one.negatives for one in asked]),
            titles=titles if any(titles) else None,
            answers=answers if any(answers) else None,
            prompts=prompts if any(prompts) else None,
            sides=sides if any(map(len, sides.values())) else None,
            made_ids=frozenset(self._made),
            notes=tuple(self.notes),
            unused=self.unused,
            rejected=tuple(self.rejected),
            **more,
        )

    def _key(self, chunk: Chunk) -> str:
        return chunk.id if chunk.id is not None else made_id(chunk.title, chunk.text)

    def _check_chunks(self, chunks: list[Chunk]) -> None:
        """Refuse chunks that contradict one another or an earlier one."""
        own: dict[str, str] = {}
        for chunk in chunks:
            key = self._key(chunk)
            known = self._chunks.get(key)
            text = own.setdefault(key, chunk.text) if known is None else known[1].text
            if text != chunk.text:
                raise ConflictError(
                    "duplicate_chunk_id",
                    f"the chunk {key!r} has another text than before; expected one text for an id",
                )


def _check_same(key: str, asked: _Asked, question: Question) -> None:
    """Refuse a question that is another than the one of its id."""
    if asked.text != question.text:
        raise ConflictError(
            "duplicate_qa_id",
            f"the question id {key!r} is that of another question too; expected ids of their own",
        )
    if asked.side != question.side:
        raise ConflictError(
            "on_two_sides",
            f"the question {key!r} is on two sides of the split, {asked.side} and {question.side}; "
            "expected one",
        )


def _lists(given: list[_Candidates]) -> Lists:
    offsets = np.zeros(len(given) + 1, np.int64)
    np.cumsum([len(one.chunks) for one in given], out=offsets[1:])
    chunks = array("q", (chunk for one in given for chunk in one.chunks))
    grades, scores = (
        np.asarray([
            _NONE if values[place] is None else values[place]
            for one in given
            for values in one.chunks.values()
        ], np.float64)
        for place in (0, 1)
    )  # fmt: skip
    return Lists(
        offsets,
        np.asarray(chunks, np.int64),
        None if np.isnan(grades).all() else grades,
        None if np.isnan(scores).all() else scores,
    )
