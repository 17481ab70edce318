"""Judgements of pairs of a question and a chunk: a reviewer's, or those of any model.

A file has one judgement in each row of JSONL, with these members:

| member | what it is |
| --- | --- |
| `question_id`, `question_hash` | the question: its id, the SHA-256 of its text, or both |
| `chunk_id` | the id of the chunk |
| `judgement` | `answer`, `not` or `unsure` |
| `by` | the name of the judge |
| `score`, `note`, `at` | optional: a number, a reason, and when it was judged |
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stage2.config import InputConfig
from stage2.data.faults import input_error
from stage2.data.json_rows import Node, read_rows
from stage2.data.left_out import LeftOut
from stage2.data.table_builder import TableBuilder
from stage2.data.tables import Tables, texts_of

ANSWER, NOT, UNSURE = KINDS = ("answer", "not", "unsure")


@dataclass(frozen=True)
class Judgement:
    """The judgement of one judge about a pair.

    Attributes:
        question: the row of the question in the tables.
        chunk: the row of the chunk in the tables.
        kind: one of `KINDS`.
        by: the name of the judge.
        score: the score that the judge gives; None if there is none.
        note: a reason; empty if none is given.
        at: when it was judged, as the file has it; empty if that is not given.
    """

    question: int
    chunk: int
    kind: str
    by: str
    score: float | None = None
    note: str = ""
    at: str = ""

    def facts(self) -> dict[str, Any]:
        """Return who judged, when and why, as members of JSON."""
        return {"by": self.by, "at": self.at, "note": self.note, "score": self.score}


def question_hash(text: str) -> str:
    """Return the SHA-256 of a question's UTF-8 bytes, as hexadecimal text."""
    return hashlib.sha256(text.encode()).hexdigest()


def row_of(
    question_id: str, question: str, chunk_id: str, judgement: str, by: str
) -> dict[str, Any]:
    """Return a row of a file of judgements, to which `score`, `note` and `at` may be added."""
    return {
        "question_id": question_id,
        "question_hash": question_hash(question),
        "chunk_id": chunk_id,
        "judgement": judgement,
        "by": by,
    }


def read_judgements(
    paths: Sequence[Path], tables: Tables, settings: InputConfig
) -> tuple[list[Judgement], list[LeftOut]]:
    """Read the judgements of files, and find their questions and chunks in tables.

    Args:
        paths: the files, plain or compressed.
        tables: the data set that was judged.
        settings: `on_error` and `max_decompressed` are used.

    Returns:
        The judgements in the order of the files, and the rows that were left out under
        `--on-error skip`.

    Raises:
        InputError: a row is wrong, or is about a question or a chunk that the tables lack, and
            --on-error is strict; or a file has no row.
    """
    known, rejected = _Known(tables), TableBuilder()
    found: list[Judgement] = []
    for path in paths:
        before = len(found) + len(rejected.rejected)
        read_rows(path, settings, rejected, lambda node: found.append(known.judgement(node)))
        if len(found) + len(rejected.rejected) == before:
            message = "the file has no rows; expected at least one judgement"
            raise input_error(str(path), 1, 1, "empty_file", message)
    return found, rejected.rejected


class _Known:
    """The questions and chunks of tables, by the names that judgements have for them."""

    def __init__(self, tables: Tables) -> None:
        self.questions = _rows(tables.question_ids)
        self.hashes = [question_hash(text) for text in texts_of(tables.questions)]
        self.by_hash = _rows(self.hashes)
        self.chunks = _rows(tables.chunk_ids)

    def judgement(self, node: Node) -> Judgement:
        """Return the judgement of a row."""
        kind = node.required("judgement")
        if kind.string() not in KINDS:
            raise kind.fault(
                "unknown_judgement",
                f"the judgement is {kind.value!r}; expected {', '.join(KINDS[:-1])} or {KINDS[-1]}",
            )
        score = node.member("score")
        return Judgement(
            question=self._question(node),
            chunk=self._chunk(node.required("chunk_id")),
            kind=kind.value,
            by=node.required("by").content("empty_judge"),
            score=None if score is None else score.number(),
            note=node.optional_string("note"),
            at=node.optional_string("at"),
        )

    def _question(self, node: Node) -> int:
        name, digest = node.member("question_id"), node.member("question_hash")
        at = node.required("question_id", "question_hash")
        row = None if name is None else self.questions.get(name.identifier())
        if digest is not None:
            if row is not None and digest.string() != self.hashes[row]:
                raise digest.fault(
                    "changed_question",
                    f"the question {at.value!r} has another text than the one that was judged; "
                    "expected the data that were reviewed",
                )
            # Ids may have been made anew. The text tells that the question is the same.
            row = self.by_hash.get(digest.string()) if row is None else row
        if row is None:
            raise at.fault(
                "unknown_question",
                f"the data have no question {at.value!r}; expected the data that were reviewed",
            )
        return row

    def _chunk(self, node: Node) -> int:
        row = self.chunks.get(node.identifier())
        if row is None:
            raise node.fault(
                "unknown_chunk",
                f"the data have no chunk {node.value!r}; expected the data that were reviewed",
            )
        return row


def _rows(names: Any) -> Mapping[str, int]:
    """Map names to their first rows."""
    found: dict[str, int] = {}
    for row, name in enumerate(names):
        found.setdefault(name, row)
    return found
