"""Faults of the rows of a table that is read column by column, and the rows that are left."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from stage2._core import InputError
from stage2.data.arrow_cells import NO_TEXT, Cells
from stage2.data.column_roles import Roles
from stage2.data.faults import input_error
from stage2.data.left_out import LeftOut
from stage2.utils.arrays import Ints
from stage2.utils.errors import BadInputError

# The number of a row, from 0, a reason and a message. A row is shown in messages and rejected.jsonl
# by its number alone: its texts may be long.
Faults: TypeAlias = list[tuple[int, str, str]]


def faults_of(cells: dict[str, Cells], roles: Roles, num_rows: int) -> Faults:
    """Find the rows with a fault. A row may be found for several."""
    found: Faults = []

    def add(rows: Ints, reason: str, message: str) -> None:
        found.extend((int(row), reason, message) for row in np.unique(rows))

    for name, own in cells.items():
        if len(own.codes):
            message = f'"{name}" is no UTF-8; expected text in UTF-8'
            add(own.rows[np.flatnonzero(own.codes == NO_TEXT)], "invalid_utf8", message)
    for name in (roles.question, roles.positive, *roles.negatives):
        own, what = cells[name], f'"{name}"'
        if own.lists and name == roles.question:
            raise BadInputError(f"the column {name!r} holds lists; expected a text a row")
        if name not in roles.negatives or own.lists:
            # A tuple may be shorter than others; a list has no reason to have a hole.
            null = own.rows[np.flatnonzero(own.codes < 0)]
            if name == roles.positive:
                null = np.concatenate([null, own.missing])
            add(null, "missing_field", f"{what} is null; expected text")
        blank = np.flatnonzero(own.marked(own.blank))
        reason = "empty_question" if name == roles.question else "empty_text"
        add(own.rows[blank], reason, f"{what} is empty or only white space; expected text")
    for name in filter(None, (roles.chunk_id, roles.title, roles.label, roles.score)):
        own = cells[name]
        if len(own.numbers):
            wrong = np.flatnonzero(np.abs(own.numbers) > 3e38)
            add(own.rows[wrong], "not_finite", f'"{name}" is no number that float32 holds')
        if own.lists or cells[roles.positive].lists:
            add(
                _of_other_length(name, cells, roles, num_rows),
                "length_mismatch",
                f'"{name}" has not as many elements as there are texts; expected one a text',
            )
    return found


def _of_other_length(name: str, cells: dict[str, Cells], roles: Roles, num_rows: int) -> Ints:
    """Return the rows with another number of values in a column than of texts beside it."""
    own = cells[name]
    wanted = np.bincount(cells[roles.positive].rows, minlength=num_rows)
    if name in (roles.label, roles.score):
        for texts in (cells[negative] for negative in roles.negatives):
            wanted = wanted + np.bincount(texts.rows[texts.codes >= 0], minlength=num_rows)
    counts, given = np.ones(num_rows, np.int64), np.zeros(num_rows, bool)
    if own.lists:
        counts, given = np.bincount(own.rows, minlength=num_rows), ~given
        given[own.missing] = False
    elif name in (roles.chunk_id, roles.title):
        # They are of one text; a label or a score may be of several.
        given[own.rows[own.codes >= 0]] = True
    return np.flatnonzero(given & (counts != wanted))


def without(
    cells: dict[str, Cells], faults: Faults, num_rows: int, file: str, errors: list[InputError]
) -> dict[str, Cells]:
    """Return the cells of the rows without a fault, and add an error for each of the others."""
    kept = np.ones(num_rows, bool)
    for row, reason, message in faults:
        if kept[row]:
            # Rows are counted from 1, as viewers of tables count them.
            errors.append(input_error(file, row + 1, 0, reason, message))
        kept[row] = False
    return {name: own.kept(kept) for name, own in cells.items()} if faults else cells


def left_out(errors: list[InputError], file: str) -> list[LeftOut]:
    """Return the rows that have these errors."""
    found = []
    for error in errors:
        message = str(error).split(f", row {error.line}: ", 1)[1]
        found.append(LeftOut(file, error.line, 0, error.reason, message, ""))
    return found
