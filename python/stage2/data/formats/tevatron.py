"""JSONL of Tevatron (Gao et al., 2022).

A row has `query_id`, `query`, and the lists `positive_passages` and `negative_passages`, whose
elements have `docid`, `title` and `text`; `answers` are optional. Python's parser reads the rows:
the core has no rows with lists of objects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stage2.config import InputConfig
from stage2.data.faults import check_not_empty
from stage2.data.json_rows import Node, read_rows
from stage2.data.table_builder import TableBuilder
from stage2.data.tables import Candidate, Chunk, Question, Tables
from stage2.utils import files
from stage2.utils.row_files import write_rows

_MEMBERS = frozenset(("query_id", "query", "positive_passages", "negative_passages", "answers"))


def tables(settings: InputConfig, path: Path) -> Tables:
    """Read the file. Of several answers to a question the first is kept.

    Raises:
        InputError: a row is wrong, or none is left.
    """
    builder = TableBuilder()

    def push(node: Node) -> None:
        question, further = _question(node)
        builder.add(question)
        builder.unused.update(f"members {name!r}" for name in node.value.keys() - _MEMBERS)
        if further:
            builder.unused["further answers"] += further

    read_rows(path, settings, builder, push)
    check_not_empty(builder, str(path))
    return builder.tables()


def write(given: Tables, path: Path) -> Counter[str]:
    """Write a row for each question. Nothing is left out beside what the format does not hold."""
    chunks = given.chunks()
    with files.atomic(path) as temporary:
        write_rows(temporary, map(row, given.rows(chunks)), "jsonl")
    return Counter()


def _question(node: Node) -> tuple[Question, int]:
    """Read a row. Also return how many answers it has beside the first."""
    answers = node.member("answers")
    given = [] if answers is None else [answer.string() for answer in answers.elements()]
    query_id = node.member("query_id")
    question = Question(
        node.required("query").content("empty_question"),
        id=None if query_id is None else query_id.identifier(),
        relevant=tuple(map(_candidate, node.required("positive_passages").elements())),
        negatives=tuple(map(_candidate, _elements(node.member("negative_passages")))),
        answer=given[0] if given else "",
    )
    return question, max(0, len(given) - 1)


def _elements(node: Node | None) -> Iterable[Node]:
    return () if node is None else node.elements()


def _candidate(node: Node) -> Candidate:
    chunk_id = node.member("docid")
    return Candidate(
        Chunk(
            node.required("text").content(),
            node.optional_string("title"),
            None if chunk_id is None else chunk_id.identifier(),
        )
    )


def row(question: Question) -> dict[str, Any]:
    """Return the row of a question. A chunk without a title has an empty one."""
    made: dict[str, Any] = {"query_id": question.id, "query": question.text}
    if question.answer:
        made["answers"] = [question.answer]
    lists = {"positive_passages": question.relevant, "negative_passages": question.negatives}
    for name, candidates in lists.items():
        chunks = [candidate.chunk for candidate in candidates]
        made[name] = [
            {"docid": chunk.id, "title": chunk.title, "text": chunk.text} for chunk in chunks
        ]
    return made
