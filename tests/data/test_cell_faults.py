"""Faults of rows that are read column by column."""

from __future__ import annotations

import pyarrow as pa
import pytest

from stage2._core import InputError
from stage2.data.arrow_cells import Cells, Collector
from stage2.data.cell_faults import faults_of, left_out, without
from stage2.data.column_roles import Roles
from stage2.utils.errors import BadInputError


def cells(**columns: object) -> dict[str, Cells]:
    kinds = {"label": "numbers", "chunk_id": "ids"}
    found = {}
    for name, values in columns.items():
        collector = Collector(name, "f", kinds.get(name, "texts"))
        collector.add(values if isinstance(values, pa.Array) else pa.array(values))
        found[name] = collector.cells()
    return found


def test_each_fault_is_found() -> None:
    raw = pa.array([b"a", b"\xff", b" ", None, b"b"], pa.binary()).cast(pa.string(), safe=False)
    given = cells(
        question=raw,
        text=[["x"], ["y"], ["z"], ["w"], [None, "v"]],
        chunk_id=[["1"], ["2"], ["3"], ["4", "5"], ["6", "7"]],
        label=[1.0, 1.0, float("inf"), 1.0, 0.0],
    )
    roles = Roles("question", "text", label="label", chunk_id="chunk_id")
    found = faults_of(given, roles, 5)
    assert [(row, reason) for row, reason, _ in found] == [
        (1, "invalid_utf8"),
        (1, "missing_field"),
        (3, "missing_field"),
        (2, "empty_question"),
        (4, "missing_field"),
        (3, "length_mismatch"),
        (2, "not_finite"),
    ]
    with pytest.raises(BadInputError, match="the column 'text' holds lists"):
        faults_of(given, Roles("text", "question"), 5)


def test_rows_with_a_fault_are_left_out() -> None:
    given = cells(question=["a", "b", "c"], text=["x", "y", "z"])
    errors: list[InputError] = []
    kept = without(given, [(1, "empty_text", "no"), (1, "other", "no")], 3, "f", errors)
    assert kept["question"].rows.tolist() == [0, 2]
    assert [(row.line, row.reason, row.message) for row in left_out(errors, "f")] == [
        (2, "empty_text", "no")
    ]
    assert without(given, [], 3, "f", errors) is given
