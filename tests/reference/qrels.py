"""Questions, titled chunks and judgements that stand apart, as BEIR has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.reference.parsing import BadRowError, first_of, lines, read_chunk, read_id, read_text


def read_query(row: dict[str, Any]) -> tuple[str, str]:
    """Id and question."""
    return read_id(first_of(row, "_id", "id")), read_text(row.get("text"), "empty_question")


def read_titled_chunk(row: dict[str, Any]) -> tuple[str, str, str]:
    """Id, the title and the text as one, title."""
    title = row.get("title")
    if isinstance(title, str) and title.strip() and isinstance(_text_of(row), str):
        text = f"{title} {_text_of(row)}" if _text_of(row).strip() else title
        return read_id(first_of(row, "chunk_id", "id", "_id")), text, title
    return read_chunk(row)


def _text_of(row: dict[str, Any]) -> Any:
    return first_of(row, "text", "chunk_text", "input", "content")


def is_qrels_header(line: bytes) -> bool:
    names = line.decode("utf-8", "replace").split("\t")
    return [_ascii_lower(name).replace("_", "-") for name in names] == [
        "query-id", "corpus-id", "score"
    ]  # fmt: skip


def _ascii_lower(text: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in text)


def read_judgement(line: bytes) -> tuple[str, str, int]:
    """The ids of a question and a chunk, and the grade."""
    try:
        columns = line.removesuffix(b"\r").decode("utf-8").split("\t")
    except UnicodeDecodeError as error:
        raise BadRowError("json") from error
    if len(columns) != 3:
        raise BadRowError("wrong_columns")
    question, chunk, grade = columns
    if not question or not chunk:
        raise BadRowError("empty_id")
    digits = grade.strip(" \t\n\r\f")
    if not digits or set(digits) - set("0123456789") or int(digits) >= 2**32:
        raise BadRowError("wrong_grade")
    return question, chunk, int(digits)


Judged = dict[str, list[tuple[str, int]]]


def read_qrels(
    files: Sequence[bytes], questions: Sequence[str], chunks: Sequence[str]
) -> tuple[Judged, dict[str, int], list[str], int]:
    """Judgements of several files, each question in one.

    Returns:
        For each question the chunks that are judged with their grades, in order; the number of its
        file; the reasons of rejected lines; how many lines repeat an earlier one.
    """
    judged: Judged = {}
    file_of: dict[str, int] = {}
    bad: list[str] = []
    repeated = 0
    for number, data in enumerate(files):
        rows = lines(data)
        for line in rows[1:] if rows and is_qrels_header(rows[0].removesuffix(b"\r")) else rows:
            try:
                question, chunk, grade = read_judgement(line)
            except BadRowError as error:
                bad.append(str(error))
                continue
            if question not in questions:
                bad.append("unknown_question")
            elif chunk not in chunks:
                bad.append("unknown_chunk")
            elif file_of.setdefault(question, number) != number:
                bad.append("on_two_sides")
            else:
                known = dict(judged.setdefault(question, []))
                if chunk not in known:
                    judged[question].append((chunk, grade))
                elif known[chunk] == grade:
                    repeated += 1
                else:
                    bad.append("repeated_chunk")
    return judged, file_of, bad, repeated
