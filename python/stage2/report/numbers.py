"""Numbers and intervals as text."""

from __future__ import annotations

from stage2.evaluation.statistics import wilson
from stage2.utils.decimals import fixed


def percent(share: float) -> str:
    """Write 0.6 as 60.0%."""
    return f"{fixed(100 * share, 1)}%"


def decimal(value: float) -> str:
    """Write a metric with three decimals: 0.387."""
    return fixed(value, 3)


def difference(before: float, after: float) -> str:
    """Write the change of a metric: +0.369."""
    return signed(after - before)


def counted(share: float, total: int) -> str:
    """Write a share with its count: 60.0% (30/50). Ties can make the count a fraction."""
    return f"{percent(share)} ({round(share * total, 1):g}/{total})"


def points(difference: float) -> str:
    """Write a difference of two shares: +40.0 pp."""
    return f"{fixed(100 * difference, 1, '+')} pp".replace("-", "−")


def signed(value: float) -> str:
    """Write a difference of a metric: +0.012."""
    return fixed(value, 3, "+").replace("-", "−")


def probability(p: float) -> str:
    """Write p with = or <: = 0.031, or < 0.001."""
    return f"= {p:.3f}" if p >= 0.001 else "< 0.001"


def change(first: float, last: float) -> str:
    """Write a relative change: −47.2%."""
    if not first:
        return "–"
    return f"{fixed(100 * (last - first) / first, 1, '+')}%".replace("-", "−")


def size(count: int) -> str:
    """Write a number of bytes with a unit: 477.3 MiB."""
    value = float(count)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def interval(share: float, total: int) -> str:
    """Write Wilson's 95% interval of a share of `total` questions: 46–72%."""
    if not total:
        return "–"
    return span(*wilson(share, total))


def decimals(low: float, high: float) -> str:
    """Write an interval of a metric: 0.312–0.420."""
    return f"{decimal(low)}–{decimal(high)}"


def span(low: float, high: float) -> str:
    """Write an interval of shares: 46–72%."""
    return f"{fixed(100 * low, 0)}–{fixed(100 * high, 0)}%"
