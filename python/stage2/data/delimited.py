"""Tables in text: CSV and TSV. Python's csv module reads them, with the places of the rows."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
class _Form:
    """The form of a table in text: the character between two cells, and whether quotes hold one."""

    delimiter: str
    quotes: bool


@dataclass(frozen=True)
class DelimitedRow(Node):
    """A row of a table, or a cell of it. The place of a fault is where its cell begins.

    Attributes:
        names: the names of the columns.
        form: the form of the table.
    """

    names: tuple[str, ...]
    form: _Form

    def fault(self, reason: str, message: str) -> InputError:
        """Make the error at this cell, or at the start of this row."""
        cell = self.names.index(str(self.path[0])) if self.path else 0
        return self.fault_at(cell, reason, message)

    def fault_at(self, cell: int, reason: str, message: str) -> InputError:
        """Make the error at the cell of a number, from 0; at the last one if there are fewer."""
        starts = cell_starts(self.text, self.form.delimiter, self.form.quotes)
        number, column = starts[min(cell, len(starts) - 1)]
        return input_error(self.file, self.line + number, column, reason, message)

    def required(self, *names: str) -> Node:
        """Return the first of these cells that is not empty; a fault is at the first of them."""
        try:
            return super().required(*names)
        except InputError as error:
            message = str(error).removeprefix(f"{self.file}:{error.line}:{error.column}: ")
            raise self._inner(names[0], None).fault(error.reason, message) from None

    def _inner(self, step: str | int, value: Any) -> Node:
        return replace(self, path=(*self.path, step), value=value)


def cell_starts(text: str, delimiter: str, quotes: bool) -> list[tuple[int, int]]:
    """Find where the cells of a row begin.

    Args:
        text: the row as it is in the file, over several lines if a cell in quotes is.
        delimiter: the character between two cells.
        quotes: whether a cell may be in double quotes.

    Returns:
        For each cell the number of line breaks before it, and the column of its first character or
        quote: in code points, from 1. Cells behind a fault in the quotes are not found.
    """
    found, starts, inside, closed = list[tuple[int, int]](), True, False, False
    lines = list(io.StringIO(text, newline="")) or [""]
    for number, line in enumerate(lines):
        for at, char in enumerate(line):
            if starts:
                found.append((number, at + 1))
                starts, inside = False, quotes and char == '"'
                if inside:
                    continue
            if inside:
                inside, closed = char != '"', char == '"'
            elif closed and char == '"':
                # Two quotes in a quoted cell are one that it holds.
                inside, closed = True, False
            elif char == delimiter:
                starts, closed = True, False
            elif closed and char not in "\r\n":
                return found
    if starts:
        found.append((len(lines) - 1, len(lines[-1]) + 1))
    return found


class _Lines:
    """The lines of a text, of which those of the row that is being read are kept."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text, newline="")
        self._held: list[str] = []

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self._held.append(line)
            yield line

    def taken(self) -> str:
        """Return the lines that were read since the last call, without the last line's end."""
        text = "".join(self._held)
        self._held.clear()
        return text.removesuffix("\n").removesuffix("\r")


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
    quoted, names = 0, list[str]()
    with _any_length():
        held = _Lines(text)
        lines = csv.reader(held, delimiter=delimiter, quoting=quoting, strict=True)
        head = DelimitedRow(str(path), "", 1, 0, (), {}, (), _Form(delimiter, quotes))
        for read, names in _rows(lines, held, head):
            _check_names(names, read)
            head = replace(head, names=tuple(names))
            break
        roles = roles_of(names, settings.columns, str(path))
        builder.notes.append(roles.sentence(str(path)))
        for read, cells in _rows(lines, held, head):
            quoted += not quotes and any(
                len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in cells
            )
            try:
                row = _row(read, cells, roles)
            except InputError as error:
                leave_out(error, read.raw(), builder, settings)
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


def _rows(lines: Any, held: _Lines, head: DelimitedRow) -> Iterator[tuple[DelimitedRow, list[str]]]:
    """Yield the rows that are not empty, each as it is in the file and with its cells.

    Args:
        lines: the reader of the rows.
        held: the lines that it reads.
        head: a row with the names and the form of all rows.
    """
    while True:
        row = replace(head, line=lines.line_num + 1)
        try:
            cells = next(lines, None)
        except csv.Error as error:
            message = f"the row is no row of a table: {error}; expected cells in whole quotes"
            row = replace(row, text=held.taken())
            raise row.fault_at(sys.maxsize, "wrong_columns", message) from None
        if cells is None:
            return
        row = replace(row, text=held.taken())
        if cells:
            yield row, cells


def _row(read: DelimitedRow, cells: list[str], roles: Roles) -> DelimitedRow:
    """Give a row its values by the names of the columns."""
    names = read.names
    if len(cells) != len(names):
        message = f"the row has {len(cells)} cells; expected {len(names)}, as the first line has"
        # The first cell that is too many; else the last one, after which some are missing.
        raise read.fault_at(len(names), "wrong_columns", message)
    values: dict[str, Any] = {name: cell or None for name, cell in zip(names, cells, strict=True)}
    row = replace(read, value=values)
    for name in (roles.label, roles.score):
        cell = None if name is None else row.member(name)
        if name is not None and cell is not None:
            try:
                values[name] = float(cell.value)
            except ValueError:
                message = f"{cell.name} is {cell.value!r}; expected a number"
                raise cell.fault("wrong_type", message) from None
    return row


def _check_names(names: list[str], read: DelimitedRow) -> None:
    """Refuse a first line that names a column twice."""
    for place, name in enumerate(names):
        if name in names[:place]:
            message = f"the column {name!r} is there twice; expected different names"
            raise BadInputError(str(read.fault_at(place, "wrong_columns", message)))


@contextmanager
def _any_length() -> Iterator[None]:
    """Lift the limit of 131,072 characters that the csv module has for a cell."""
    limit = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(limit)
