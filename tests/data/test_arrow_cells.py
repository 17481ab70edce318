"""Cells of Arrow columns: texts once, numbers as they are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from stage2._core import DistinctTexts
from stage2.data.arrow_cells import Cells, Collector, Vocabulary
from stage2.utils.errors import BadInputError


def test_a_text_that_many_batches_have_is_kept_once() -> None:
    collector = Collector("x", "f", "texts")
    for batch in (["a", None, "b"], ["b", "a"], ["c", "a"]):
        collector.add(pa.array(batch))
    cells = collector.cells()
    assert list(cells.texts) == ["a", "b", "c"]
    assert cells.codes.tolist() == [0, -1, 1, 1, 0, 2, 0]
    assert cells.kept(np.arange(7) > 3).rows.tolist() == [4, 5, 6]


def test_columns_may_have_their_numbers_in_common() -> None:
    vocabulary = Vocabulary()
    first, second = (Collector(name, "f", "texts", vocabulary) for name in ("x", "y"))
    for one, other in ((["b", " "], ["c", "b"]), (["c", None], ["", "a"])):
        first.add(pa.array(one).dictionary_encode())
        second.add(pa.array(other, pa.string_view()))
    one, other = first.cells(), second.cells()
    assert list(one.texts) == list(other.texts) == ["b", " ", "c", "", "a"]
    assert one.codes.tolist() == [0, 1, 2, -1]
    assert other.codes.tolist() == [2, 0, 3, 4]
    assert one.marked(one.blank).tolist() == [False, True, False, False]
    assert other.marked(other.blank).tolist() == [False, False, True, False]
    assert other.marked(np.zeros(0, np.int64)).tolist() == [False] * 4


def test_lists_know_their_rows() -> None:
    collector = Collector("x", "f", "numbers")
    collector.add(pa.array([[1.0, 2.0], None, []]))
    collector.add(pa.array([[3.0, None]]))
    cells = collector.cells()
    assert (cells.rows.tolist(), cells.missing.tolist()) == ([0, 0, 3, 3], [1])
    np.testing.assert_array_equal(cells.numbers, [1, 2, 3, np.nan])


@pytest.mark.parametrize(("kind", "values"), [("texts", [1]), ("numbers", ["1"]), ("ids", [1.5])])
def test_another_type_is_refused(kind: str, values: list[object]) -> None:
    with pytest.raises(BadInputError, match=r"f: the column 'x' holds .*; expected"):
        Collector("x", "f", kind).add(pa.array(values))


def test_equal_texts_get_one_number() -> None:
    distinct = DistinctTexts()
    codes = distinct.add(pa.array(["a", "", "a", "b", " ", ""]))
    texts, none = distinct.take().select(codes), np.zeros(0, np.int64)
    cells = Cells(
        lists=False,
        rows=np.arange(7),
        codes=np.array([0, 1, -1, 2, 3, 4, 5]),
        numbers=np.zeros(0),
        missing=none,
        texts=texts,
        blank=np.array([1, 4, 5]),
        distinct=False,
    )
    assert cells.empty().tolist() == [1, 5]
    assert cells.marked(cells.blank, np.array([5, 0, -1])).tolist() == [True, False, False]
    found = cells.numbered(texts.first_equal())
    assert found.distinct
    assert (found.codes.tolist(), found.blank.tolist()) == ([0, 1, -1, 0, 3, 4, 1], [1, 4])
    assert found.empty().tolist() == [1]
    assert cells.numbered(None).codes is cells.codes
