"""The conversion of arrays cuts, rounds or unmasks nothing without an error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stage2.utils.arrays import floats, ints, plain, whole


@pytest.mark.parametrize("values", [[1, 2], np.array([1, 2], np.uint8), np.array([[1, 2]]).T])
def test_whole_numbers_of_any_type_are_int64_in_rows(values: Any) -> None:
    found = ints("rows", values)
    assert found.dtype == np.int64
    assert found.flags.c_contiguous
    assert found.ravel().tolist() == [1, 2]


def test_an_empty_list_has_no_numbers_of_the_wrong_type() -> None:
    assert ints("rows", []).dtype == np.int64


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.0], "rows: numbers of type float64; expected whole numbers"),
        ([True], "rows: numbers of type bool"),
        (np.array([2**63], np.uint64), "rows: 9223372036854775808 is beyond int64"),
        (np.ma.masked_array([1], [True]), "rows: a masked array"),
        ([[1], [1, 2]], "rows: "),
    ],
)
def test_what_is_no_whole_number_is_refused(values: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ints("rows", values)


def test_nan_and_infinity_are_floats_and_too_large_a_number_is_none() -> None:
    found = floats("scores", [1, np.nan, np.inf])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.array([1, np.nan, np.inf], np.float32))
    with pytest.raises(ValueError, match=r"scores: 1e\+39 is beyond float32"):
        floats("scores", [0.5, 1e39])
    with pytest.raises(ValueError, match="expected numbers"):
        floats("scores", ["0.5"])


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3)])
def test_a_whole_number_of_any_type_is_an_int(value: Any) -> None:
    assert type(whole("k", value)) is int
    assert whole("k", value, low=3, high=3) == 3


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (True, "k is True; expected a whole number"),
        (np.bool_(1), "expected a whole number"),
        (1.0, "k is 1.0; expected a whole number"),
        (0, "k is 0; expected 1 or more"),
        (10, "k is 10; expected at most 9"),
        ("x" * 200, r"… \(cut here\); expected a whole number"),
    ],
)
def test_what_is_out_of_range_is_refused(value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        whole("k", value, low=1, high=9)


def test_a_number_that_python_does_not_show_is_refused() -> None:
    with pytest.raises(ValueError, match="k is a number of very many digits; expected at most 9"):
        whole("k", 10**5000, low=1, high=9)


def test_a_mask_is_never_ignored() -> None:
    plain("scores", np.ones(2))
    with pytest.raises(ValueError, match="fill it or compress it"):
        plain("scores", np.ma.masked_array([1.0, 2.0], [False, True]))
