"""Rows of JSONL files: which are good, what they hold, and why the others are refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np

T = TypeVar("T")


class BadRowError(ValueError):
    """A row cannot be used. The argument of the error is the reason."""


def parse_row(raw: bytes) -> dict[str, Any]:
    """Parse one JSON object; whatever is not valid JSON is refused with the reason `json`."""

    def refuse(constant: str) -> NoReturn:
        raise BadRowError(f"json: {constant}")

    try:
        text = raw.decode("utf-8")
        value = json.loads(text, parse_constant=refuse)
        everything = json.loads(text, object_pairs_hook=_Members)
        json.dumps(everything, ensure_ascii=False).encode("utf-8")  # lone surrogates
    except (ValueError, RecursionError) as error:
        raise BadRowError("json") from error
    if _depth(everything) > 128:
        raise BadRowError("json")
    if not isinstance(value, dict):
        raise BadRowError("wrong_type")
    return value


class _Members(list[Any]):
    """The names and values of an object, including values that a repeated name replaces."""


def _depth(value: Any) -> int:
    if isinstance(value, _Members):
        value = [member for _, member in value]
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def lines(data: bytes) -> list[bytes]:
    """Return the lines of a JSONL file that are not blank."""
    return [
        line for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip(b" \t\r")
    ]


def place_of(data: bytes, at: int) -> tuple[int, int]:
    """Return the line and the column (in code points) of a byte offset, both from 1.

    A byte order mark at the start of the file does not count.
    """
    before = data[:at].removeprefix(b"\xef\xbb\xbf").decode("utf-8", "ignore")
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def without_skippable_frames(data: bytes) -> bytes:
    """Remove the frames without text from a Zstandard archive of raw blocks.

    The tests make archives of raw blocks only.
    """
    kept = b""
    while data:
        length = 8 + int.from_bytes(data[4:8], "little")
        if data[0] & 0xF0 != 0x50 or data[1:4] != b"\x2a\x4d\x18":
            end = 9
            last = 0
            while not last:
                block = int.from_bytes(data[end : end + 3], "little")
                last, end = block & 1, end + 3 + (block >> 3)
            kept, length = kept + data[:end], end
        data = data[length:]
    return kept


def first_of(row: dict[str, Any], *names: str) -> Any:
    """Return the value of the first of these names that is present and not null, or None."""
    return next((row[name] for name in names if row.get(name) is not None), None)


def read_id(value: Any) -> str:
    if value is None:
        raise BadRowError("missing_field")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadRowError("wrong_type")
    if value == "":
        raise BadRowError("empty_id")
    return str(value)


def read_text(value: Any, reason: str = "empty_text") -> str:
    if value is None:
        raise BadRowError("missing_field")
    if not isinstance(value, str):
        raise BadRowError("wrong_type")
    if not value.strip():
        raise BadRowError(reason)
    return value


def read_string(value: Any) -> str:
    if not isinstance(value, str | None):
        raise BadRowError("wrong_type")
    return value or ""


def read_chunk(row: dict[str, Any]) -> tuple[str, str, str]:
    """Return the id, the text and the title of a chunk."""
    return (
        read_id(first_of(row, "chunk_id", "id", "_id")),
        read_text(first_of(row, "text", "chunk_text", "input", "content")),
        read_string(row.get("title")),
    )


Question = tuple[str, str, str | None, list[str], list[float]]


def read_question(row: dict[str, Any]) -> Question:
    """Return the question, the answer, the id or None, the chunk ids and their grades."""
    question = read_text(row.get("question"), "empty_question")
    answer = read_string(row.get("answer"))
    qa_id = first_of(row, "qa_id", "id")
    qa_id = None if qa_id is None else read_id(qa_id)
    first = [] if row.get("chunk_id") is None else [read_id(row["chunk_id"])]
    others = [] if row.get("chunk_ids") is None else row["chunk_ids"]
    if not isinstance(others, list) or None in others:
        raise BadRowError("wrong_type")
    ids = [read_id(chunk) for chunk in others]
    listed = ids if first and first[0] in ids else first + ids
    if not listed:
        raise BadRowError("missing_field")
    grades = read_grades(row.get("grades"), len(listed))
    place = listed.index(first[0]) if first else 0
    order = [place, *(i for i in range(len(listed)) if i != place)]
    return question, answer, qa_id, [listed[i] for i in order], [grades[i] for i in order]


def read_grades(given: Any, count: int) -> list[float]:
    """Return a grade for each chunk: 1 if none are given; at least one must be above 0."""
    if given is None:
        return [1.0] * count
    if not isinstance(given, list):
        raise BadRowError("wrong_type")
    for grade in given:
        if isinstance(grade, bool) or not isinstance(grade, int | float):
            raise BadRowError("wrong_type")
        with np.errstate(over="ignore"):
            narrow = np.float32(grade)
        if not np.isfinite(narrow) or (narrow == 0) != (grade == 0):
            raise BadRowError("json: beyond float32")
    if len(given) != count:
        raise BadRowError("length_mismatch")
    if max(given) <= 0:
        raise BadRowError("no_relevant_chunk")
    return [float(grade) for grade in given]


def relevant_chunks(chunks: Sequence[T], grades: Sequence[float]) -> list[tuple[T, float]]:
    """Return the chunks with a grade above 0 and their grades, the highest grade first."""
    graded = [pair for pair in zip(chunks, grades, strict=True) if pair[1] > 0]
    return sorted(graded, key=lambda pair: -pair[1])


def read_annotation(row: dict[str, Any]) -> tuple[str, list[tuple[int, int]]]:
    """Return the text and the spans of an annotation."""
    text = read_text(row.get("text"))
    targets = row.get("targets")
    if targets is None:
        raise BadRowError("missing_field")
    if not isinstance(targets, list):
        raise BadRowError("wrong_type")
    return text, [_read_target(target, text) for target in targets]


def _read_target(target: Any, text: str) -> tuple[int, int]:
    if not isinstance(target, dict):
        raise BadRowError("wrong_type")
    start, end = target.get("char_start"), target.get("char_end")
    if start is None or end is None:
        raise BadRowError("missing_field")
    if type(start) is not int or type(end) is not int:
        raise BadRowError("wrong_type")
    if start < 0 or end > len(text):
        raise BadRowError("span_outside_text")
    if start >= end:
        raise BadRowError("empty_span")
    if target.get("span_text") is not None:
        if not isinstance(target["span_text"], str):
            raise BadRowError("wrong_type")
        if target["span_text"] != text[start:end]:
            raise BadRowError("span_mismatch")
    return start, end


def read_rows(data: bytes, read: Callable[[dict[str, Any]], T]) -> tuple[list[T], list[str]]:
    """Return the good rows of a JSONL file, and the reasons of the bad rows in order."""
    good, bad = [], []
    for line in lines(data):
        try:
            good.append(read(parse_row(line)))
        except BadRowError as error:
            bad.append(str(error).split(":")[0])
    return good, bad


def other_values(
    data: bytes, read: Callable[[dict[str, Any]], Any], fields: Sequence[Sequence[str]]
) -> Counter[str]:
    """Count the good rows in which a name has another value than its field.

    A field has several names. Its value is that of the first name that is present.
    """
    counts: Counter[str] = Counter()
    for line in lines(data):
        try:
            row = parse_row(line)
            read(row)
        except BadRowError:
            continue
        for names in fields:
            used = str(first_of(row, *names))
            for name in names:
                value = row.get(name)
                is_plain = isinstance(value, str | int) and not isinstance(value, bool)
                if value is not None and not (is_plain and str(value) == used):
                    counts[name] += 1
    return counts
