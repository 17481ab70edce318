"""Numbers as text with a fixed number of decimals."""

from __future__ import annotations


def fixed(value: float, digits: int, sign: str = "-") -> str:
    """Write a number with so many decimals: what rounds to nothing is 0, and not −0.

    Args:
        value: the number.
        digits: decimals.
        sign: `+` writes one before positive numbers too.
    """
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}"
