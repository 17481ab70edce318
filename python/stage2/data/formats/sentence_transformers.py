"""JSONL with the columns of sentence-transformers' trainers.

Pairs have a question and a positive, triplets a `negative` too, n-tuples `negative_1` to
`negative_n`; with a teacher, `label` is the list of its scores, the positive's first. A labelled
list has a question, a list of texts and a list of `labels`. Python's parser reads the rows: the
core has no rows whose columns have other names. Tables of the same columns in other files are read
as their own formats are.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from stage2.config import InputConfig
from stage2.data.arrow_cells import arrow
from stage2.data.column_roles import Roles, question_of, roles_of
from stage2.data.faults import check_not_empty
from stage2.data.formats.flagembedding import all_scores
from stage2.data.json_rows import Node, read_rows
from stage2.data.table_builder import TableBuilder
from stage2.data.tables import Candidate, Question, Tables
from stage2.utils import files
from stage2.utils.errors import BadInputError
from stage2.variants import FORMATS, HELD, format_of


def tables(settings: InputConfig, path: Path) -> Tables:
    """Read the file, which may also be a table of another kind with these columns.

    Raises:
        BadInputError: no column is a question or a positive.
        InputError: a row is wrong, or none is left.
    """
    container = format_of(path, None)
    if container is not None and FORMATS[container].suffixes:
        found: Tables = import_module(f"stage2.data.formats.{container}").tables(settings, path)
        return found
    builder = TableBuilder()
    known: dict[tuple[str, ...], Roles] = {}

    def push(node: Node) -> None:
        names = tuple(node.object())
        if names not in known:
            known[names] = _roles(names, known, settings, path)
            if len(known) == 1:
                builder.notes.append(known[names].sentence(str(path)))
        roles = known[names]
        builder.add(question_of(node, roles, builder.unused))
        builder.unused.update(f"members {name!r}" for name in names if name not in roles.names)

    read_rows(path, settings, builder, push)
    check_not_empty(builder, str(path))
    return builder.tables()


def write(given: Tables, path: Path) -> Counter[str]:
    """Write n-tuples if every question has as many negatives and no grades, else labelled lists.

    The trainers need all rows of a file to be alike. The file is CSV or Parquet by its suffix, else
    JSONL. Scores are left out where only some of a row's texts have one.

    Raises:
        BadInputError: CSV has no place for lists.
    """
    chunks = given.chunks()
    questions = [question for question in given.rows(chunks) if question.relevant]
    alike = not given.relevant.graded(1) and not given.negatives.graded(0)
    make = _tuples if alike and len({len(one.negatives) for one in questions}) == 1 else _labelled
    scored = all(all_scores(row) for question in questions for row in make(question))
    rows = (_named(row, make is _tuples, scored, question) for question in questions
            for row in make(question))  # fmt: skip
    if path.suffix.lower() == ".parquet":
        pa = arrow()
        with files.atomic(path) as temporary:
            arrow("pyarrow.parquet").write_table(pa.Table.from_pylist(list(rows)), temporary)
    elif path.suffix.lower() == ".csv":
        _write_csv(list(rows), path)
    else:
        lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
        files.write_lines(path, lines)
    if scored:
        return Counter()
    scores = sum(
        one.score is not None
        for question in questions
        for one in (*question.relevant, *question.negatives)
    )
    return Counter({f"{HELD['scores']}, which not all texts have": scores})


def _write_csv(rows: list[dict[str, Any]], path: Path) -> None:
    if any(isinstance(value, list) for value in rows[0].values()):
        raise BadInputError(
            f"{path}: CSV has no place for lists of texts, grades or scores; expected a name that "
            "ends in .jsonl or .parquet"
        )
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write_text(path, text.getvalue())


def _roles(
    names: tuple[str, ...],
    known: Mapping[tuple[str, ...], Roles],
    settings: InputConfig,
    path: Path,
) -> Roles:
    """Tell what the members of a row are. Rows may lack some that others have."""
    try:
        return roles_of(names, settings.columns, str(path))
    except BadInputError:
        if not known:
            raise
        # Every row must have the columns of the first row.
        return next(iter(known.values()))


def _tuples(question: Question) -> Iterator[tuple[Candidate, ...]]:
    """Yield a row of candidates for each positive."""
    for positive in question.relevant:
        yield (positive, *question.negatives)


def _labelled(question: Question) -> Iterator[tuple[Candidate, ...]]:
    """Yield all candidates as one row."""
    yield (*question.relevant, *question.negatives)


def _named(
    candidates: tuple[Candidate, ...], is_tuple: bool, scored: bool, question: Question
) -> dict[str, Any]:
    """Return a row with the names of its columns."""
    scores = all_scores(candidates)
    texts = [candidate.chunk.text for candidate in candidates]
    if is_tuple:
        names = ["positive", *(f"negative_{number}" for number in range(1, len(texts)))]
        row: dict[str, Any] = {"anchor": question.text, **dict(zip(names, texts, strict=True))}
        return row | ({"label": scores} if scored else {})
    relevant = len(question.relevant)
    grades = [
        float(place < relevant) if candidate.grade is None else candidate.grade
        for place, candidate in enumerate(candidates)
    ]
    row = {"anchor": question.text, "docs": texts, "labels": grades}
    return row | ({"scores": scores} if scored else {})
