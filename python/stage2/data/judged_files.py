"""A corpus, questions and judgements in files of their own, as BEIR and TREC have them.

The core reads a BEIR folder for training. What it leaves out, the judgements of chunks that are not
relevant and the questions without a relevant chunk, is read here too, by Python's parser, so that a
conversion loses none of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stage2._core import InputError, read_bytes
from stage2.config import InputConfig
from stage2.data.contents import SIDES
from stage2.data.faults import Row, check_not_empty, input_error, read_row
from stage2.data.json_rows import Node, decoded, read_rows
from stage2.data.table_builder import TableBuilder
from stage2.data.tables import Candidate, Chunk, Question, Tables, texts_of
from stage2.utils.errors import BadInputError

_IDS = ("_id", "id", "chunk_id", "docid")
_TEXTS = ("text", "chunk_text", "input", "contents", "content")
_HEADERS = (["query-id", "corpus-id", "score"], ["query-id", "iter", "corpus-id", "score"])


@dataclass(frozen=True)
class Line:
    """A line of a table without quotes, which knows its place."""

    file: str
    number: int
    text: str

    def fault(self, reason: str, message: str) -> InputError:
        """Make the error at this line."""
        return input_error(self.file, self.number, 1, reason, message)

    def raw(self) -> str:
        """Return the line."""
        return self.text


def lines_of(path: Path, settings: InputConfig) -> Iterator[Line]:
    """Yield the lines of a file that are not empty."""
    content = read_bytes(path, settings.decompressed).removeprefix(b"\xef\xbb\xbf")
    for number, text in enumerate(decoded(str(path), 1, content).split("\n"), 1):
        if text.strip():
            yield Line(str(path), number, text.rstrip("\r"))


def read_corpus(path: Path, settings: InputConfig, builder: TableBuilder) -> None:
    """Read chunks from JSONL."""
    read_rows(path, settings, builder, chunks_to(builder))


def read_queries(path: Path, settings: InputConfig, builder: TableBuilder) -> dict[str, str]:
    """Read questions from JSONL, by their ids."""
    questions: dict[str, str] = {}
    read_rows(path, settings, builder, questions_to(questions, builder))
    return questions


def chunks_to(builder: TableBuilder) -> Callable[[Node], None]:
    """Return a function that adds the chunk of a row."""

    def push(node: Node) -> None:
        title = node.optional_string("title")
        text = next((node.member(name) for name in _TEXTS if node.value.get(name)), None)
        if text is None and not title.strip():
            raise node.fault("missing_field", f"the row has no {' or '.join(_TEXTS)}")
        builder.add_chunk(
            Chunk("" if text is None else text.string(), title, node.required(*_IDS).identifier())
        )
        known = {*_IDS, *_TEXTS, "title"}
        builder.unused.update(
            f"members {name!r} of the corpus"
            for name, value in node.value.items()
            if name not in known and value not in (None, {}, [], "")
        )

    return push


def questions_to(questions: dict[str, str], builder: TableBuilder) -> Callable[[Node], None]:
    """Return a function that adds the question of a row to `questions`, by its id."""

    def push(node: Node) -> None:
        query_id = node.required("_id", "id").identifier()
        text = node.required("text").content("empty_question")
        if questions.setdefault(query_id, text) != text:
            raise node.fault("duplicate_qa_id", f"the id {query_id!r} is that of another question")
        builder.unused.update(
            f"members {name!r} of the questions"
            for name, value in node.value.items()
            if name not in ("_id", "id", "text") and value not in (None, {}, [], "")
        )

    return push


class Judgements:
    """Collects the judgements of questions, on one side of the split each."""

    def __init__(self, questions: Mapping[str, str], builder: TableBuilder) -> None:
        """Begin without any.

        Args:
            questions: the questions by their ids.
            builder: has the chunks.
        """
        self._questions, self._builder = questions, builder
        self._judged: dict[str, list[Candidate]] = {}
        self._side_of: dict[str, str | None] = {}

    def add(
        self, row: Row, question_id: str, chunk_id: str, grade: Callable[[], int], side: str | None
    ) -> None:
        """Add what a row says: that a chunk has a grade for a question.

        Raises:
            InputError: one of them is not known, or the question is on another side too.
        """
        if question_id not in self._questions:
            raise row.fault(
                "unknown_question", f"there is no question {question_id!r}; expected an id of one"
            )
        chunk = self._builder.chunk_named(chunk_id)
        if chunk is None:
            raise row.fault(
                "unknown_chunk", f"there is no chunk {chunk_id!r}; expected an id of one"
            )
        candidate = Candidate(chunk, grade=float(grade()))
        if self._side_of.setdefault(question_id, side) != side:
            raise row.fault(
                "on_two_sides",
                f"the question {question_id!r} is judged in another file too; expected each in one",
            )
        self._judged.setdefault(question_id, []).append(candidate)

    def tables(self, names: Iterable[str], settings: InputConfig) -> Tables:
        """Return tables of all that was read.

        Args:
            names: the names of the files of judgements.
            settings: `data` is named where there is no question.
        """
        for question_id, text in self._questions.items():
            candidates = self._judged.get(question_id, [])
            self._builder.add(
                Question(
                    text,
                    id=question_id,
                    relevant=_sorted(one for one in candidates if (one.grade or 0) > 0),
                    negatives=tuple(one for one in candidates if (one.grade or 0) <= 0),
                    side=self._side_of.get(question_id),
                )
            )
        check_not_empty(self._builder, settings.data or "")
        return self._builder.tables(judged_only=True, judgements=tuple(names))


def read_judged(
    questions: Mapping[str, str],
    qrels: Mapping[str, Path],
    sides: Mapping[str, str],
    settings: InputConfig,
    builder: TableBuilder,
) -> Tables:
    """Read judgements, and make tables of all that was read.

    Args:
        questions: the questions by their ids.
        qrels: the files of judgements by their names in the folder. A line has the id of a
            question, the id of a chunk and a grade, and may have a column that is not read before
            the second; there are tabs or spaces between them. A first line may name the columns.
        sides: the side of the split for each name, if the names tell sides.
        settings: on_error, max_decompressed.
        builder: has the chunks.
    """
    judgements = Judgements(questions, builder)
    for name, path in qrels.items():
        side = sides.get(name)

        def push(line: Line, side: str | None = side) -> None:
            question_id, chunk_id, grade = _cells(line)
            judgements.add(line, question_id, chunk_id, grade, side)

        for number, line in enumerate(lines_of(path, settings)):
            words = [word.lower().replace("_", "-") for word in line.text.split()]
            if number or words not in _HEADERS:
                read_row(line, push, builder, settings)
    return judgements.tables(qrels, settings)


def corpus_lines(chunks: Sequence[Chunk]) -> Iterator[str]:
    """Yield the lines of `corpus.jsonl`."""
    for chunk in chunks:
        row = {"_id": chunk.id, "title": chunk.title, "text": chunk.text}
        yield json.dumps(row, ensure_ascii=False)


def judgements_of(given: Tables, chunks: Sequence[Chunk]) -> dict[str, list[tuple[str, str, int]]]:
    """Return the judgements by the side of the split, or for `all`.

    A relevant chunk without a grade has grade 1. A negative without a grade is no judgement.
    """
    found: dict[str, list[tuple[str, str, int]]] = {}
    for question in given.rows(chunks):
        rows = found.setdefault(question.side or "all", [])
        for default, candidates in ((1.0, question.relevant), (None, question.negatives)):
            for candidate in candidates:
                grade = default if candidate.grade is None else candidate.grade
                if grade is not None:
                    rows.append((str(question.id), str(candidate.chunk.id), int(grade)))
    found = {name: rows for name, rows in found.items() if rows}
    if len(found) > 1 and "all" in found:
        raise ValueError("some questions are on a side of the split, and others are on none")
    return {side: found[side] for side in (*SIDES, "all") if side in found} or {"all": []}


def query_lines(given: Tables) -> Iterator[tuple[str, str]]:
    """Yield the id and the text of each question."""
    return zip(given.question_ids, texts_of(given.questions), strict=True)


def check_lines(given: Tables, path: Path) -> None:
    """Refuse what no line of judgements can hold.

    Raises:
        BadInputError: an id has white space in it, or a grade is no whole number.
    """
    for ids in (given.question_ids, given.chunk_ids):
        for one in ids:
            if len(one.split()) != 1 or one != one.strip():
                raise BadInputError(
                    f"{path}: the id {one!r} has white space, which divides the columns of qrels; "
                    "expected ids without any"
                )
    for lists in (given.relevant, given.negatives):
        if lists.grades is None:
            continue
        broken = lists.grades[~np.isnan(lists.grades) & (lists.grades % 1 != 0)]
        if len(broken):
            raise BadInputError(
                f"{path}: {len(broken)} grades are no whole numbers, such as {broken[0]}; qrels "
                "have whole ones: write parquet or sentence-transformers, or round them first"
            )


def _cells(line: Line) -> tuple[str, str, Callable[[], int]]:
    """Return the ids of a line, and a function that reads its grade."""
    parts = line.text.split("\t" if "\t" in line.text else None)
    if len(parts) not in (3, 4):
        raise line.fault(
            "wrong_columns",
            f"the line has {len(parts)} columns; expected a question's id, a chunk's id and a "
            "grade, or with one more between the ids",
        )
    question_id, chunk_id, grade = parts[0].strip(), parts[-2].strip(), parts[-1].strip()

    def read() -> int:
        try:
            return int(grade)
        except ValueError:
            raise line.fault(
                "wrong_grade", f"the grade is {grade!r}; expected a whole number"
            ) from None

    return question_id, chunk_id, read


def _sorted(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Sort by falling grade, as the core does."""
    return tuple(sorted(candidates, key=lambda one: -(one.grade or 0)))
