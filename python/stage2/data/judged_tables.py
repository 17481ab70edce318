"""A corpus, questions and judgements as tables of their own: JSONL, Parquet or Arrow.

So retrieval data sets are on the Hub, with a configuration for each of the three. The columns of a
judgement are `query-id`, `corpus-id` and `score`; a score of 0 or less is of a chunk that does not
answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from stage2._core import InputError
from stage2.config import InputConfig
from stage2.data.arrow_cells import arrow, batches_of, stream_reader
from stage2.data.faults import input_error, read_row
from stage2.data.json_rows import Node, read_rows
from stage2.data.judged_files import Judgements, chunks_to, questions_to
from stage2.data.table_builder import TableBuilder
from stage2.data.tables import Tables
from stage2.utils.errors import BadInputError

_QUESTION = ("query-id", "query_id", "qid")
_CHUNK = ("corpus-id", "corpus_id", "docid")
_GRADE = ("score", "label", "relevance")

_ARROW = (".parquet", ".arrow")
_JSON = (".jsonl", ".ndjson", ".json")
# So many rows of Parquet are objects of Python at a time.
_BATCH = 1 << 13


@dataclass(frozen=True)
class TableRow(Node):
    """A row of a table without lines, or a cell of it. Its place is the number of the row."""

    def fault(self, reason: str, message: str) -> InputError:
        """Make the error at this row."""
        return input_error(self.file, self.line, 0, reason, message)

    def raw(self) -> str:
        """Return the row as JSON."""
        return json.dumps(self.value, ensure_ascii=False, default=str)


def read_judged_tables(
    corpus: Sequence[Path],
    queries: Sequence[Path],
    qrels: Mapping[str, Path],
    sides: Mapping[str, str],
    settings: InputConfig,
) -> Tables:
    """Read the three parts, each in one file or several.

    Args:
        corpus: the files of chunks.
        queries: the files of questions.
        qrels: the files of judgements by their names in the folder.
        sides: the side of the split for each name, if the names tell sides.
        settings: on_error, max_decompressed.

    Raises:
        BadInputError: pyarrow is missing, or a file is in another format.
        InputError: what a file holds is wrong.
    """
    builder, questions = TableBuilder(), dict[str, str]()
    for path in corpus:
        _read(path, settings, builder, chunks_to(builder))
    for path in queries:
        _read(path, settings, builder, questions_to(questions, builder))
    judgements = Judgements(questions, builder)
    for name, path in qrels.items():
        side = sides.get(name)

        def push(node: Node, side: str | None = side) -> None:
            question, chunk, grade = (
                node.required(*names) for names in (_QUESTION, _CHUNK, _GRADE)
            )
            ids = question.identifier(), chunk.identifier()
            judgements.add(node, *ids, lambda: _whole(grade), side)

        _read(path, settings, builder, push)
    return judgements.tables(qrels, settings)


def _read(
    path: Path, settings: InputConfig, builder: TableBuilder, push: Callable[[Node], None]
) -> None:
    """Call `push` for each row of a file."""
    if not path.name.endswith(_ARROW):
        bare = path.name.removesuffix(".gz").removesuffix(".zst")
        if not bare.endswith(_JSON):
            raise BadInputError(
                f"{path}: expected a table in {', '.join((*_JSON, *_ARROW))}, as the corpus, the "
                "questions and the judgements are files of their own"
            )
        read_rows(path, settings, builder, push)
        return
    pa = arrow()
    try:
        for number, row in enumerate(_rows(path), 1):
            read_row(TableRow(str(path), "", number, 0, (), row), push, builder, settings)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise input_error(
            str(path), 1, 0, "other_format", f"{error}; expected a whole table"
        ) from None


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as source:
        if path.suffix == ".parquet":
            batches = arrow("pyarrow.parquet").ParquetFile(source).iter_batches(_BATCH)
        else:
            batches = batches_of(stream_reader(source))
        yield from chain.from_iterable(batch.to_pylist() for batch in batches)


def _whole(grade: Node) -> int:
    number = grade.number()
    if number != int(number):
        raise grade.fault("wrong_grade", f"the grade is {number:g}; expected a whole number")
    return int(number)
