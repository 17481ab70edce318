"""TREC's qrels and topics, with a corpus beside them.

A folder has `corpus.jsonl` with rows of `_id`, `title` and `text`; files `topics*`, which have an
id and a text a line with a tab between them, or TREC's own `<top>` with `<num>` and `<title>`; and
files `qrels*`, whose lines have the id of a question, a number that is not read, the id of a chunk
and a grade. Where there are several files of judgements, each is a side of the split, by its name,
such as `qrels.train.txt`. The topics are read line by line here, for neither form is JSON.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from stage2._core import read_bytes
from stage2.config import InputConfig
from stage2.data.faults import read_row
from stage2.data.json_rows import decoded
from stage2.data.judged_files import (
    Line,
    check_lines,
    corpus_lines,
    judgements_of,
    lines_of,
    query_lines,
    read_corpus,
    read_judged,
)
from stage2.data.table_builder import TableBuilder
from stage2.data.tables import Tables
from stage2.utils import files
from stage2.utils.errors import BadInputError
from stage2.variants import FORMATS, is_of

_FORMAT = FORMATS["trec"]
_CORPUS, _TOPICS, _QRELS = _FORMAT.parts
_EXPECTED = "expected an id, a tab and a text"


def tables(settings: InputConfig, path: Path) -> Tables:
    """Read the folder.

    Raises:
        BadInputError: a file is missing, or one of several files of judgements tells no side.
        InputError: what a file holds is wrong.
    """
    found = _FORMAT.files(path)
    parts = {
        part: {name: file for name, file in found.items() if is_of(name, part)}
        for part in _FORMAT.parts
    }
    for part, named in parts.items():
        if not named:
            raise BadInputError(f"{path}: has no {part}; expected {_FORMAT.text}")
    builder = TableBuilder()
    for file in parts[_CORPUS].values():
        read_corpus(file, settings, builder)
    questions: dict[str, str] = {}

    def push(line: Line) -> None:
        question_id, text = _topic(line)
        if questions.setdefault(question_id, text) != text:
            raise line.fault(
                "duplicate_qa_id", f"the id {question_id!r} is that of another question too"
            )

    for file in parts[_TOPICS].values():
        for line in _topics(file, settings):
            read_row(line, push, builder, settings)
    qrels = parts[_QRELS]
    sides = _FORMAT.sides(qrels)
    if len(qrels) > 1 and len(set(sides.values())) < len(qrels):
        raise BadInputError(
            f"{path}: the names {', '.join(qrels)} do not tell a side each; expected names such as "
            "qrels.train.txt and qrels.test.txt, or one file for all"
        )
    return read_judged(questions, qrels, sides, settings, builder)


def write(given: Tables, path: Path) -> Counter[str]:
    """Write the folder. White space in a question becomes a space: a line is one question.

    Raises:
        BadInputError: an id or a grade is none that qrels can hold.
    """
    check_lines(given, path)
    chunks = given.chunks()
    questions = list(query_lines(given))
    with files.replaced_folder(path) as folder:
        files.write_lines(folder / _CORPUS, corpus_lines(chunks))
        files.write_lines(
            folder / "topics.tsv",
            (f"{qa_id}\t{' '.join(text.split())}" for qa_id, text in questions),
        )
        for side, rows in judgements_of(given, chunks).items():
            name = "qrels.txt" if side == "all" else f"qrels.{side}.txt"
            lines = (f"{qa_id} 0 {chunk} {grade}" for qa_id, chunk, grade in rows)
            files.write_lines(folder / name, lines)
    changed = sum(text != " ".join(text.split()) for _, text in questions)
    return Counter({"line breaks, tabs or double spaces in questions, now a space": changed})


def _topics(path: Path, settings: InputConfig) -> Iterator[Line]:
    """Yield the topics of a file: lines, or what stands between `<top>` and `</top>`."""
    content = read_bytes(path, settings.decompressed)
    if content.lstrip()[:1] != b"<":
        yield from lines_of(path, settings)
        return
    text = decoded(str(path), 1, content)
    for topic in re.finditer(r"<top>(.*?)</top>", text, re.DOTALL | re.IGNORECASE):
        yield Line(str(path), text.count("\n", 0, topic.start()) + 1, topic[0])


def _topic(line: Line) -> tuple[str, str]:
    """Return the id and the text of a topic."""
    if line.text.startswith("<"):
        number = re.search(r"<num>\s*(?:Number:)?\s*([^\s<]+)", line.text, re.IGNORECASE)
        title = re.search(r"<title>\s*(?:Topic:)?\s*([^<]*)", line.text, re.IGNORECASE)
        question_id, text = number and number[1], title and " ".join(title[1].split())
    else:
        question_id, _, text = line.text.partition("\t")
    if not question_id or not question_id.strip():
        raise line.fault("empty_id", f"the topic has no id; {_EXPECTED}")
    if not text or not text.strip():
        raise line.fault("empty_question", f"the topic has no text; {_EXPECTED}")
    return question_id.strip(), text.strip()
