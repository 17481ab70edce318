"""Tables in text: CSV and TSV. Python's csv module reads them, with the places of the rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stage2._core import InputError, read_bytes
from stage2.config import InputConfig
from stage2.data.column_roles import Roles, question_of, roles_of
from stage2.data.faults import check_not_empty, input_error, leave_out, read_row
from stage2.data.json_rows import Node, decoded
from stage2.data.table_builder import TableBuilder
from stage2.data.tables import Tables
from stage2.utils.errors import BadInputError


@dataclass(frozen=True)
class DelimitedRow(Node):
    """A row of a table. Its place is its first line, and messages name the column."""

    def fault(self, reason: str, message: str) -> InputError:
        """Make the error at this row."""
        return input_error(self.file, self.line, 1, reason, message)


def read_delimited(path: Path, settings: InputConfig, delimiter: str, quotes: bool) -> Tables:
    """Read a table whose first line names the columns. An empty cell is none.

    Args:
        path: the file.
        settings: columns, on_error, max_decompressed.
        delimiter: the character between two cells.
        quotes: whether a cell may be in double quotes; otherwise a quote is a character.

    Raises:
        BadInputError: no column is a question or a positive.
        InputError: a row is wrong, or none is left.
    """
    builder = TableBuilder()
    content = read_bytes(path, settings.decompressed).removeprefix(b"\xef\xbb\xbf")
    text = decoded(str(path), 1, content)
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    quoted = 0
    with _any_length():
        lines = csv.reader(
            io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True
        )
        names = next(_rows(lines, path), (1, []))[1]
        _check_names(names, path)
        roles = roles_of(names, settings.columns, str(path))
        builder.notes.append(roles.sentence(str(path)))
        for line, cells in _rows(lines, path):
            quoted += not quotes and any(
                len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in cells
            )
            try:
                row = _row(str(path), line, names, cells, roles)
            except InputError as error:
                leave_out(error, delimiter.join(cells), builder, settings)
                continue
            read_row(
                row,
                lambda row: builder.add(question_of(row, roles, builder.unused)),
                builder,
                settings,
            )
    builder.unused.update({
        f"the column {name!r}": len(builder) for name in names if name not in roles.names
    })  # fmt: skip
    if quoted:
        builder.notes.append(
            f"{path}: in {quoted} rows a cell is in double quotes, which are read as characters; "
            "a file in which they are not meant so is CSV"
        )
    check_not_empty(builder, str(path))
    return builder.tables()


def _rows(lines: Any, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, each with the line at which it starts."""
    line = lines.line_num + 1
    while True:
        try:
            cells = next(lines, None)
        except csv.Error as error:
            message = f"the row is no row of a table: {error}; expected cells in whole quotes"
            raise input_error(str(path), line, 1, "wrong_columns", message) from None
        if cells is None:
            return
        if cells:
            yield line, cells
        line = lines.line_num + 1


def _row(file: str, line: int, names: list[str], cells: list[str], roles: Roles) -> DelimitedRow:
    text = "\t".join(cells)
    if len(cells) != len(names):
        message = f"the row has {len(cells)} cells; expected {len(names)}, as the first line has"
        raise input_error(file, line, 1, "wrong_columns", message)
    values: dict[str, Any] = {name: cell or None for name, cell in zip(names, cells, strict=True)}
    for name in (roles.label, roles.score):
        if name is not None and (cell := values[name]) is not None:
            try:
                values[name] = float(cell)
            except ValueError:
                message = f'"{name}" is {cell!r}; expected a number'
                raise input_error(file, line, 1, "wrong_type", message) from None
    return DelimitedRow(file, text, line, 0, (), values)


def _check_names(names: list[str], path: Path) -> None:
    """Refuse a first line that names a column twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInputError(
            f"{path}:1:1: the column {twice[0]!r} is there twice; expected different names"
        )


@contextmanager
def _any_length() -> Iterator[None]:
    """Lift the limit of 131,072 characters that the csv module has for a cell."""
    limit = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(limit)
