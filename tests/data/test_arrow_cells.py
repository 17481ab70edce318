"""Cells of Arrow columns: texts once, numbers as they are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from stage2.data.arrow_cells import Collector, blank, merged
from stage2.utils.errors import BadInputError


def test_a_text_that_many_batches_have_is_kept_once() -> None:
    collector = Collector("x", "f", "texts")
    for batch in (["a", None, "b"], ["b", "a"], ["c", "a"]):
        collector.add(pa.array(batch))
    cells = collector.cells()
    assert cells.dictionary.to_pylist() == ["a", "b", "c"]
    assert cells.codes.tolist() == [0, -1, 1, 1, 0, 2, 0]
    assert cells.kept(np.arange(7) > 3).rows.tolist() == [4, 5, 6]


def test_blank_texts_are_those_without_a_visible_character() -> None:
    texts = ["", " ", "a", " a", "\u3000\t\n", "\u00a0", "\u00e9", "\u3000\u3042", "a "]
    assert blank(pa.array(texts, pa.large_string())).tolist() == [
        not text.strip() for text in texts
    ]
    assert blank(pa.array([], pa.large_string())).tolist() == []


def test_dictionaries_are_merged_in_their_order() -> None:
    first, second = (pa.array(texts, pa.large_string()) for texts in (["b", "a"], ["c", "a"]))
    for given, texts, numbers in (
        ([], [], []),
        ([first], ["b", "a"], [0, 1]),
        ([first, second], ["b", "a", "c"], [0, 1, 2, 1]),
    ):
        dictionary, renumbered = merged(given)
        assert dictionary.to_pylist() == texts
        assert renumbered.tolist() == numbers
        assert renumbered.dtype == np.int64


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
