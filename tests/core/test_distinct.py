"""Different texts and keys, numbered by their first occurrences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2._core import DistinctTexts, TextColumn, numbered
from tests import reference

TEXTS = st.sampled_from(["", " ", "\u3000\n", "a", "b ", " b", "日本", "a\x00", "long " * 9])
KINDS = st.sampled_from([pa.string(), pa.large_string(), pa.string_view()])
KEYS = st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(st.lists(TEXTS | st.none()), KINDS, st.integers(0, 2))))
def test_texts_have_the_numbers_that_their_twin_gives(
    batches: list[tuple[list[str | None], Any, int]],
) -> None:
    distinct, codes, cells = DistinctTexts(), [], []
    for texts, kind, skipped in batches:
        found = distinct.add(pa.array(texts, kind)[skipped:])
        assert found.dtype == np.int64
        codes += found.tolist()
        cells += texts[skipped:]
    given_texts = [text for text in cells if text is not None]
    first, numbers = reference.numbered(given_texts)
    different = [given_texts[place] for place in first]
    assert [code for code in codes if code != -1] == numbers
    assert [code == -1 for code in codes] == [text is None for text in cells]
    assert len(distinct) == len(different)
    assert distinct.blank.tolist() == [i for i, text in enumerate(different) if not text.strip()]
    assert list(distinct.take()) == different


@given(st.lists(KEYS) | st.lists(KEYS, unique=True).map(sorted))
def test_keys_have_the_numbers_that_their_twin_gives(keys: list[int]) -> None:
    first, numbers = numbered(np.asarray(keys, np.int64))
    assert (first.tolist(), numbers.tolist()) == reference.numbered(keys)
    assert first.dtype == numbers.dtype == np.int64


def test_many_texts_keep_their_numbers_while_more_are_added() -> None:
    distinct, texts = DistinctTexts(), [f"text {i % 7001}" for i in range(20_000)]
    codes = [distinct.add(pa.array(texts[i : i + 999])) for i in range(0, 20_000, 999)]
    assert np.concatenate(codes).tolist() == [i % 7001 for i in range(20_000)]
    column = distinct.take()
    assert list(column) == texts[:7001]
    assert len(distinct) == 0
    assert distinct.add(pa.array(["text 9"])).tolist() == [0]
    assert column[9] == "text 9", "what was taken stays as it is"


def test_what_is_no_text_has_no_number() -> None:
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        raw = pa.array([b"a", b"\xff", None, b"\xc3", b"b"], pa.binary()).cast(kind, safe=False)
        distinct = DistinctTexts()
        assert distinct.add(raw).tolist() == [0, -2, -1, -2, 1]
        assert list(distinct.take()) == ["a", "b"]


def test_an_array_of_something_else_is_refused() -> None:
    distinct = DistinctTexts()
    with pytest.raises(TypeError, match="an Arrow array of Int64; expected one of strings"):
        distinct.add(pa.array([1]))
    with pytest.raises(TypeError, match="a list; expected an array of Arrow"):
        distinct.add(["a"])  # type: ignore[arg-type]
    offsets = np.array([0, 5, 1], np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"ab")]
    with pytest.raises(ValueError, match="texts: "):
        distinct.add(pa.Array.from_buffers(pa.string(), 2, buffers))
    assert len(distinct) == 0


def test_selected_texts_are_those_at_the_numbers() -> None:
    distinct = DistinctTexts()
    distinct.add(pa.array(["a", "b", "c"]))
    column = distinct.take().select(np.array([2, -1, 0, 2]))
    assert column[:] == ["c", "", "a", "c"]
    assert column.select(np.array([1, 3]))[:] == ["", "c"]
    for wrong in (4, -2, 2**63 - 1, -(2**63)):
        with pytest.raises(ValueError, match=f"no text {wrong}; there are 4"):
            column.select(np.array([0, wrong]))


def column_of(texts: list[str]) -> TextColumn:
    """Return a column in which equal texts have several numbers."""
    distinct = DistinctTexts()
    codes = distinct.add(pa.array(texts, pa.string()))
    return distinct.take().select(codes)


@given(st.lists(TEXTS))
def test_equal_texts_have_the_first_that_their_twin_finds(texts: list[str]) -> None:
    first, numbers = reference.numbered(texts)
    found = column_of(texts).first_equal()
    if len(first) == len(texts):
        assert found is None
    else:
        assert found is not None
        assert found.dtype == np.int64
        assert found.tolist() == [first[number] for number in numbers]


@given(st.lists(TEXTS, min_size=1), st.data())
def test_texts_are_compared_and_measured(texts: list[str], data: st.DataObject) -> None:
    column, places = column_of(texts), st.integers(-1, len(texts) - 1)
    pairs = data.draw(st.lists(st.tuples(places, places)))
    ones, others = np.asarray(pairs, np.int64).reshape(-1, 2).T
    given_texts = [*texts, ""]  # -1 is the last
    expected = [given_texts[one] != given_texts[other] for one, other in pairs]
    assert column.differ(ones, others).tolist() == expected
    assert column.lengths(ones).tolist() == [len(given_texts[one].encode()) for one, _ in pairs]


def test_texts_that_are_not_there_are_neither_compared_nor_measured() -> None:
    column, wrong = column_of(["a", "b"]), np.array([2])
    for refused in (
        lambda: column.differ(wrong, wrong),
        lambda: column.lengths(wrong),
        lambda: column.lengths(np.array([-2])),
    ):
        with pytest.raises(ValueError, match="; there are 2, and -1 for none"):
            refused()
    with pytest.raises(ValueError, match="1 texts to compare with 2; expected as many"):
        column.differ(np.array([0]), np.array([0, 1]))
