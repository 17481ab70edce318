"""Convert what a caller passes into the arrays and numbers that the core takes."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def ints(name: str, values: npt.ArrayLike) -> Ints:
    """Convert whole numbers of any integer type to a C-contiguous int64 array of the same shape.

    Raises:
        ValueError: the numbers have another type, whose fractions a conversion would drop; or one
            is beyond int64; or the array is masked.
    """
    given = _array(name, values)
    if given.size == 0 and given.dtype == np.float64:
        given = given.astype(np.int64)  # numpy gives an empty list the type float64
    if given.dtype.kind not in "iu":
        raise ValueError(f"{name}: numbers of type {given.dtype}; expected whole numbers, int64")
    if given.dtype.kind == "u" and given.size and given.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{name}: {given.max()} is beyond int64; expected whole numbers, int64")
    return np.ascontiguousarray(given, np.int64)


def floats(
    name: str, values: npt.ArrayLike, dtype: type[np.floating[Any]] = np.float32
) -> npt.NDArray[Any]:
    """Convert numbers to a C-contiguous array of `dtype` and of the same shape.

    NaN and infinity are kept.

    Raises:
        ValueError: an element is not a number, or is too large for `dtype`; or the array is masked.
    """
    given = _array(name, values)
    if given.dtype.kind not in "biuf":
        raise ValueError(f"{name}: items of type {given.dtype}; expected numbers")
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(given, dtype)
    if given.dtype.itemsize > found.dtype.itemsize and given.dtype.kind == "f":
        beyond = np.isfinite(given) & ~np.isfinite(found)
        if beyond.any():
            largest = given[beyond].flat[0]
            raise ValueError(
                f"{name}: {largest} is beyond {found.dtype}; expected numbers it holds"
            )
    return found


def plain(name: str, values: Any) -> None:
    """Refuse a masked array, because a masked element would count as the number below its mask.

    Raises:
        ValueError: `values` is a masked array.
    """
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError(
            f"{name}: a masked array, whose mask would be ignored; expected a plain one: fill it "
            "or compress it"
        )


def whole(name: str, value: Any, low: int = 0, high: int = 2**63 - 1) -> int:
    """Convert a whole number of any integer type to int.

    Raises:
        ValueError: `value` is not a whole number, is a bool, or is not between `low` and `high`.
    """
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} is {_shown(value)}; expected a whole number") from None
    if not low <= number <= high:
        bound = f"{low} or more" if number < low else f"at most {high}"
        raise ValueError(f"{name} is {_shown(value)}; expected {bound}")
    return number


def _array(name: str, values: npt.ArrayLike) -> npt.NDArray[Any]:
    plain(name, values)
    try:
        return np.asarray(values)
    except ValueError as error:
        # numpy says what is wrong, such as rows of different lengths.
        raise ValueError(f"{name}: {error}") from None


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python does not print integers of thousands of digits
        return "a number of very many digits"
    return text if len(text) <= 100 else f"{text[:100]}… (cut here)"
