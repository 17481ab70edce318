"""The core's functions of arrays, for whatever numpy can make an array of."""

from __future__ import annotations

import operator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from stage2 import _core

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def ints(name: str, values: npt.ArrayLike) -> Ints:
    """Whole numbers of any integer type as int64, in rows.

    Raises:
        ValueError: numbers of another type, which would be cut to whole ones without a word, or
            beyond int64; or a masked array, whose mask would be.
    """
    given = _array(name, values)
    if given.size == 0 and given.dtype == np.float64:
        given = given.astype(np.int64)  # what numpy makes of an empty list
    if given.dtype.kind not in "iu":
        raise ValueError(f"{name}: numbers of type {given.dtype}; expected whole numbers, int64")
    if given.dtype.kind == "u" and given.size and given.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{name}: {given.max()} is beyond int64; expected whole numbers, int64")
    return np.ascontiguousarray(given, np.int64)


def floats(
    name: str, values: npt.ArrayLike, dtype: type[np.floating[Any]] = np.float32
) -> npt.NDArray[Any]:
    """Numbers as floats of `dtype`, in rows; NaN and infinity are left to whoever reads them.

    Raises:
        ValueError: what is no number; a finite number that `dtype` cannot hold; or a masked array.
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
    """Refuse a masked array: what is masked would count as the number that lies below."""
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError(
            f"{name}: a masked array, whose mask would be ignored; expected a plain one: fill it "
            "or compress it"
        )


def whole(name: str, value: Any, low: int = 0, high: int = 2**63 - 1) -> int:
    """A whole number of any type that stands for one, numpy's too, but no truth value.

    Raises:
        ValueError: it is none, or out of range.
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
        # numpy's own words on rows of different lengths.
        raise ValueError(f"{name}: {error}") from None


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python shows no number of thousands of digits
        return "a number of very many digits"
    return text if len(text) <= 100 else f"{text[:100]}… (cut here)"


def rank(
    scores: npt.ArrayLike,
    offsets: npt.ArrayLike,
    num_relevant: int | npt.ArrayLike | None = None,
    *,
    relevance: npt.ArrayLike | None = None,
    ties: Literal["expected", "trec_eval"] = "expected",
    tie_keys: npt.ArrayLike | None = None,
) -> _core.Ranking:
    """Rank lists of scored candidates.

    A tie is not a win: ranks and metrics are exact expectations over the orders of equal scores.
    With `ties="trec_eval"` they are instead what trec_eval and pytrec_eval compute, where of equal
    scores the document whose name sorts last comes first.

    Args:
        scores: float32 (m,), n lists end to end.
        offsets: int64 (n + 1,), where each list starts.
        num_relevant: how many candidates at the head of each list are relevant: one number for
            all, or int64 (n,). Without it and `relevance`, one.
        relevance: float64 (m,), how relevant each candidate is, for lists in any order: its gain in
            nDCG, and 0 for what is not relevant. Grades are gains as they stand, as in trec_eval;
            for the steeper gains of web search give `2.0**grades - 1`.
        ties: `expected` or `trec_eval`.
        tie_keys: int64 (m,), for `trec_eval`: places of the documents' names in ascending order of
            their bytes. Without them candidates count as named in that order.

    Raises:
        ValueError: offsets that do not fit, a list without a relevant candidate, negative
            relevance, or NaN or infinity; or counts and places that are no whole numbers.
    """
    if num_relevant is not None:
        plain("num_relevant", num_relevant)
        if np.ndim(num_relevant):
            num_relevant = ints("num_relevant", num_relevant)
        else:
            num_relevant = whole("num_relevant", np.asarray(num_relevant)[()], low=1)
    return _core.rank(
        floats("scores", scores),
        ints("offsets", offsets),
        num_relevant,
        None if relevance is None else floats("relevance", relevance, np.float64),
        ties,
        None if tie_keys is None else ints("tie_keys", tie_keys),
    )
