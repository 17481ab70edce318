"""Numbers as text with a fixed number of decimals."""

from __future__ import annotations


def fixed(value: float, digits: int, sign: str = "-") -> str:
    """Format a number with a fixed number of decimals. A number that rounds to zero is 0, never −0.

    Args:
        value: the number.
        digits: the number of decimals.
        sign: `+` also writes a sign before positive numbers; `-` only before negative ones.
    """
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}"
