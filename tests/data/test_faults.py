"""Faults of rows: raised, or recorded where rows are skipped."""

from __future__ import annotations

import pytest

from stage2._core import InputError
from stage2.config import InputConfig
from stage2.data.faults import check_not_empty, input_error, leave_out, nearest
from stage2.data.table_builder import TableBuilder


@pytest.mark.parametrize(("column", "place"), [(3, "a: b:7:3"), (0, "a: b, row 7")])
def test_a_fault_has_its_place_and_reason(column: int, place: str) -> None:
    error = input_error("a: b", 7, column, "wrong_type", "x: y")
    assert str(error) == f"{place}: x: y"
    builder = TableBuilder()
    with pytest.raises(InputError):
        leave_out(error, "row", builder, InputConfig())
    leave_out(error, "row", builder, InputConfig(on_error="skip"))
    [left] = builder.rejected
    assert (left.file, left.line, left.column, left.message) == ("a: b", 7, column, "x: y")
    with pytest.raises(InputError, match="all 1 rows are left out, the first for: x: y; expected"):
        check_not_empty(builder, "f")


def test_the_nearest_name_is_suggested() -> None:
    assert nearest(["x", "Qestion"], ("question",)) == "; did you mean 'question' by 'Qestion'?"
    assert nearest(["x"], ("question",)) == ""
