"""Errors in the content of a file, with their place, and the rows that are left out for them."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Protocol, TypeVar

from stage2._core import InputError
from stage2.config import InputConfig
from stage2.data.left_out import LeftOut
from stage2.data.table_builder import ConflictError, TableBuilder

# At most this number of characters is kept of a row that is left out.
_SHOWN = 4096


class Row(Protocol):
    """A row of a file, which knows its place."""

    def fault(self, reason: str, message: str) -> InputError:
        """Make the error at this row."""

    def raw(self) -> str:
        """Return the row as it is in the file."""


AnyRow = TypeVar("AnyRow", bound=Row)


def input_error(file: str, line: int, column: int, reason: str, message: str) -> InputError:
    """Make the error that the core raises for the content of a file.

    Args:
        file: the path as given.
        line: the line, from 1; of a file without lines the row, from 1.
        column: the column in code points, from 1; 0 in a file without lines.
        reason: the kind of error.
        message: what is wrong and what was expected.
    """
    error = InputError(f"{_place(file, line, column)}: {message}")
    error.file, error.line, error.column, error.reason = file, line, column, reason
    return error


def read_row(
    row: AnyRow, push: Callable[[AnyRow], None], builder: TableBuilder, settings: InputConfig
) -> None:
    """Call `push` for a row. Under --on-error skip a row with a fault is left out and recorded.

    Raises:
        InputError: the row is wrong, and --on-error is strict.
    """
    try:
        try:
            push(row)
        except ConflictError as conflict:
            raise row.fault(conflict.reason, str(conflict)) from None
    except InputError as error:
        leave_out(error, row.raw(), builder, settings)


def leave_out(error: InputError, raw: str, builder: TableBuilder, settings: InputConfig) -> None:
    """Record a row that is left out, or raise its error if --on-error is strict."""
    if settings.on_error == "strict":
        raise error
    place = error.file, error.line, error.column
    message = str(error).removeprefix(f"{_place(*place)}: ")
    builder.rejected.append(LeftOut(*place, error.reason, message, raw[:_SHOWN]))


def check_not_empty(builder: TableBuilder, file: str) -> None:
    """Refuse a data set without a question.

    Raises:
        InputError: no row was read, or all were left out.
    """
    if len(builder):
        return
    why = "the file has no rows"
    if builder.rejected:
        why = f"all {len(builder.rejected)} rows are left out, the first for: "
        why += builder.rejected[0].message
    raise input_error(file, 1, 1, "empty_file", f"{why}; expected at least one question")


def nearest(names: list[str], known: tuple[str, ...]) -> str:
    """Return a sentence that suggests the known name which is nearest to one of `names`."""
    for name in names:
        if found := get_close_matches(name.lower(), known, 1):
            return f"; did you mean {found[0]!r} by {name!r}?"
    return ""


def _place(file: str, line: int, column: int) -> str:
    return f"{file}:{line}:{column}" if column else f"{file}, row {line}"
