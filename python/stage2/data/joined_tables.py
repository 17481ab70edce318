"""The tables of several files as one data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from stage2.config import InputConfig
from stage2.data.left_out import LeftOut
from stage2.data.table_builder import ConflictError, TableBuilder
from stage2.data.tables import Tables
from stage2.utils.errors import BadInputError


def joined(
    parts: Iterable[tuple[Path, str | None, Tables]],
    settings: InputConfig,
    judgements: Sequence[str] = (),
) -> Tables:
    """Make one data set of several tables, which are read when it is their turn.

    Args:
        parts: the path of each, for messages, the side of the split that its questions are on, and
            what was read.
        settings: on_error.
        judgements: as `Tables` has them.

    Raises:
        BadInputError: two tables contradict each other, and --on-error is strict.
    """
    builder = TableBuilder()
    for path, side, given in parts:
        builder.take_over(given)
        for question in given.rows(given.chunks()):
            try:
                builder.add(replace(question, side=side))
            except ConflictError as conflict:
                if settings.on_error == "strict":
                    raise BadInputError(f"{path}: {conflict}") from None
                left = LeftOut(str(path), 0, 0, conflict.reason, str(conflict), question.text)
                builder.rejected.append(left)
    return builder.tables(judgements=tuple(judgements))
