"""Cells of the columns of texts that the core reads from a Parquet file."""

from __future__ import annotations

import numpy as np

from stage2._core import ParquetFile, TextColumn
from stage2.data.arrow_cells import NO_TEXT, Cells
from stage2.data.column_roles import Roles
from stage2.utils.arrays import Ints


def cells_of(file: ParquetFile, roles: Roles) -> dict[str, Cells]:
    """Read all columns of texts that have a role. Equal texts may have several numbers.

    Columns of candidates share their texts, so that they are read here together or not at all.

    Returns:
        The cells by the names of their columns; none if the file is damaged.
    """
    candidates = [roles.positive, *roles.negatives]
    others = (roles.question, roles.question_id, roles.chunk_id, roles.title, roles.answer)
    if len(set(roles.names)) < len(roles.names):
        return {}  # a column has two roles
    groups = [candidates, *([name] for name in others if name is not None)]
    found: dict[str, Cells] = {}
    rows = None
    for names in groups:
        if not all(map(file.is_text, names)):
            continue
        read = file.read(names)
        if read is None:
            return {}
        if rows is None:
            # Not before: a damaged file may claim any number.
            rows = np.arange(file.num_rows)
        found |= _cells(names, rows, *read)
    return found


def _cells(
    names: list[str], rows: Ints, texts: TextColumn, null: Ints, not_utf8: Ints, blank: Ints
) -> dict[str, Cells]:
    """Make the cells of columns that were read together, the rows of one after those of another."""
    codes = rows
    if len(names) > 1 or len(null) or len(not_utf8):
        codes = np.arange(len(texts))
        codes[null] = -1
        codes[not_utf8] = NO_TEXT
    none = np.zeros(0, np.int64)
    return {
        name: Cells(
            lists=False,
            rows=rows,
            codes=own,
            numbers=np.zeros(0),
            missing=none,
            texts=texts,
            blank=blank,
            distinct=False,
        )
        for name, own in zip(names, codes.reshape(len(names), len(rows)), strict=True)
    }
