"""Numbers as text with a fixed number of decimals."""

from __future__ import annotations


def fixed(value: float, digits: int, sign: str = "-") -> str:
    """Format a number with a fixed number of decimals. One that rounds to zero has no sign.

    Args:
        value: the number.
        digits: the number of decimals.
        sign: `+` also writes a sign before positive numbers; `-` only before negative ones.
    """
    rounded = round(value, digits)
    return f"{rounded:{sign}.{digits}f}" if rounded else f"{0.0:.{digits}f}"
