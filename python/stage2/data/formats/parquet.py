"""Parquet with the columns of `variants.COLUMNS`.

The core reads columns of texts, all pages at once. pyarrow reads numbers, lists and what else the
core does not know, batch by batch; and files that are damaged, of which it says what is wrong.

What is written has a row for each question and text: `question_id`, `question`, `chunk_id`, `text`,
`label`, and `title`, `score` and `answer` where there are some. The label is the grade: 0 or less
for a negative.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from stage2._core import ParquetFile
from stage2.config import InputConfig
from stage2.data.arrow_cells import Cells, arrow
from stage2.data.arrow_tables import collected, tables_of_cells
from stage2.data.column_roles import roles_of
from stage2.data.faults import input_error
from stage2.data.parquet_cells import cells_of
from stage2.data.tables import Candidate, Question, Tables
from stage2.utils import files

# So many rows are written at a time.
_GROUP = 1 << 16
# So many rows are read at a time: few enough for the caches of a processor.
_BATCH = 1 << 13


def tables(settings: InputConfig, path: Path) -> Tables:
    """Read the file.

    Raises:
        BadInputError: pyarrow is missing and a column is not one of texts, no column is a question
            or a positive, or one has a wrong type.
        InputError: it is no Parquet file, or a row is wrong.
    """
    # Opened here, so that a file that is missing is an error of the system, with its name.
    with path.open("rb") as source:
        found: dict[str, Cells] = {}
        if (file := ParquetFile.open(path)) is not None:
            roles = roles_of(file.names, settings.columns, str(path))
            found = cells_of(file, roles)
            if found and found.keys() >= {*roles.names}:
                return tables_of_cells(found, file.num_rows, file.names, roles, settings, str(path))
        return _with_pyarrow(settings, path, source, found)


def _with_pyarrow(
    settings: InputConfig, path: Path, source: BinaryIO, found: dict[str, Cells]
) -> Tables:
    """Read what the core does not read.

    Args:
        settings: as `tables` has them.
        path: the path of the file.
        source: the file.
        found: the cells that the core has read.
    """
    pa, parquet = arrow(), arrow("pyarrow.parquet")
    with ThreadPoolExecutor(1) as thread:
        try:
            file = parquet.ParquetFile(source)
            names = list(file.schema_arrow.names)
            roles = roles_of(names, settings.columns, str(path))
            others = [name for name in roles.names if name not in found]
            cells, num_rows = collected(
                _batches(file, thread, others), roles, others, str(path), _sizes(file.metadata)
            )
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, UnicodeError) as error:
            raise input_error(
                str(path), 1, 0, "other_format", f"{error}; expected a whole Parquet file"
            ) from None
    cells |= found
    # The first column with a fault is told.
    cells = {name: cells[name] for name in roles.names}
    return tables_of_cells(cells, num_rows, names, roles, settings, str(path))


def write(given: Tables, path: Path) -> Counter[str]:
    """Write a row for each question and text. Nothing more is left out than the format holds."""
    pa, parquet = arrow(), arrow("pyarrow.parquet")
    optional = {
        "title": given.titles is not None,
        "score": any(one.scores is not None for one in (given.relevant, given.negatives)),
        "answer": given.answers is not None,
    }
    numbers = ("label", "score")
    names = ["question_id", "question", "chunk_id", "text", "label"]
    names += [name for name, there in optional.items() if there]
    schema = pa.schema([
        (name, pa.float64() if name in numbers else pa.large_string()) for name in names
    ])  # fmt: skip
    rows: list[dict[str, Any]] = []
    with files.atomic(path) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        for question in given.rows(given.chunks()):
            rows.extend(_rows(question))
            if len(rows) >= _GROUP:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows = []
        writer.write_table(pa.Table.from_pylist(rows, schema))
    return Counter()


def _sizes(metadata: Any) -> Counter[str]:
    """Return the bytes of each column before compression: of its different texts at most."""
    sizes: Counter[str] = Counter()
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            # The path of a column of lists goes on to its values.
            name = column.path_in_schema.partition(".")[0]
            sizes[name] += max(0, column.total_uncompressed_size)
    return sizes


def _batches(file: Any, thread: Executor, names: list[str]) -> Iterator[Any]:
    """Yield the record batches of a Parquet file with some columns, one row group after another.

    While one is used, the thread decodes the next.
    """
    groups = (file.iter_batches(_BATCH, [group], names) for group in range(file.num_row_groups))
    batches = chain.from_iterable(groups)
    following = thread.submit(next, batches, None)
    while (batch := following.result()) is not None:
        following = thread.submit(next, batches, None)
        yield batch


def _rows(question: Question) -> Iterator[dict[str, Any]]:
    for candidates, default in ((question.relevant, 1.0), (question.negatives, 0.0)):
        for candidate in candidates:
            yield _row(question, candidate, default)


def _row(question: Question, candidate: Candidate, default: float) -> dict[str, Any]:
    return {
        "question_id": question.id,
        "question": question.text,
        "chunk_id": candidate.chunk.id,
        "text": candidate.chunk.text,
        "label": default if candidate.grade is None else candidate.grade,
        "title": candidate.chunk.title or None,
        "score": candidate.score,
        "answer": question.answer or None,
    }
