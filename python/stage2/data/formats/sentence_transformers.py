"""JSONL with the columns of sentence-transformers' trainers.

Pairs have a question and a positive, triplets a `negative` too, n-tuples `negative_1` to
`negative_n`; with a teacher, `label` is the list of its scores, the positive's first. A labelled
list has a question, a list of texts and a list of `labels`. Python's parser reads the rows: the
core has no rows whose columns have other names. Tables of the same columns in other files are read
as their own formats are.

The names of columns do not count for the trainers, but for `label`, `labels`, `score` and `scores`,
which are what a loss compares with. Any other column is a text that a loss takes, in the order of
the columns. So there are no columns for ids. The shapes that are written are those of the library's
`mine_hard_negatives`, and lists have the names of its losses for cross-encoders.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
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
from stage2.data.tables import Question, Tables
from stage2.utils import files
from stage2.utils.errors import BadInputError
from stage2.utils.row_files import write_rows
from stage2.variants import FORMATS, HELD, format_of

Row = dict[str, Any]


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
    as_tuples = alike and len({len(one.negatives) for one in questions}) == 1
    made = _scored_tuples if as_tuples else _scored_list
    column = "label" if as_tuples else "scores"
    scored = all(scores for question in questions for _, scores in made(question))
    rows = (
        row | ({column: scores} if scored else {})
        for question in questions
        for row, scores in made(question)
    )
    if path.suffix.lower() == ".csv":
        _write_csv(list(rows), path)
    else:
        kind = "parquet" if path.suffix.lower() == ".parquet" else "jsonl"
        if kind == "parquet":
            arrow()  # which says what is missing
        with files.atomic(path) as temporary:
            write_rows(temporary, rows, kind)
    if scored:
        return Counter()
    count = sum(
        one.score is not None
        for question in questions
        for one in (*question.relevant, *question.negatives)
    )
    return Counter({f"{HELD['scores']}, which not all texts have": count})


def pairs(questions: Iterable[Question]) -> Iterator[Row]:
    """Yield a row for each ground truth."""
    for one in questions:
        yield from n_tuple(replace(one, negatives=()))


def triplets(questions: Iterable[Question]) -> Iterator[Row]:
    """Yield a row for each ground truth with each negative."""
    for one in questions:
        for row in n_tuple(replace(one, negatives=())):
            for negative in one.negatives:
                yield row | {"negative": negative.chunk.text}


def n_tuples(questions: list[Question]) -> Iterator[Row]:
    """Yield a row for each ground truth of the questions that have the most negatives."""
    most = max((len(one.negatives) for one in questions), default=0)
    for one in questions:
        if most and len(one.negatives) == most:
            yield from n_tuple(one)


def n_tuple(question: Question) -> Iterator[Row]:
    """Yield a row for each ground truth of a question, with all negatives."""
    texts = enumerate((one.chunk.text for one in question.negatives), 1)
    negatives = {f"negative_{number}": text for number, text in texts}
    for positive in question.relevant:
        yield {"anchor": question.text, "positive": positive.chunk.text, **negatives}


def labeled_list(question: Question) -> Row:
    """Return the row of a question. A label is the grade: by default 1, of a negative 0."""
    grades = [
        default if one.grade is None else one.grade
        for default, candidates in ((1.0, question.relevant), (0.0, question.negatives))
        for one in candidates
    ]
    return _list(question) | {"labels": grades}


def scored_list(question: Question) -> Row:
    """Return the row of a question whose candidates all have a score."""
    candidates = (*question.relevant, *question.negatives)
    return _list(question) | {"scores": [one.score for one in candidates]}


def _list(question: Question) -> Row:
    candidates = (*question.relevant, *question.negatives)
    return {"query": question.text, "docs": [one.chunk.text for one in candidates]}


def _scored_tuples(question: Question) -> Iterator[tuple[Row, list[float]]]:
    """Yield the rows of n-tuples, each with its scores if all of its texts have one."""
    for positive, row in zip(question.relevant, n_tuple(question), strict=True):
        yield row, all_scores((positive, *question.negatives))


def _scored_list(question: Question) -> Iterator[tuple[Row, list[float]]]:
    """Yield a labelled list, with its scores if all of its texts have one."""
    yield labeled_list(question), all_scores((*question.relevant, *question.negatives))


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
