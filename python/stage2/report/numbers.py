"""How numbers are written, and how far a share of few questions can be trusted."""

from __future__ import annotations

from stage2.statistics import wilson
from stage2.verdict import signed


def percent(share: float) -> str:
    """Write 0.6 as 60.0%."""
    return f"{100 * share:.1f}%"


def decimal(value: float) -> str:
    """Write a metric that is no share of questions: 0.387."""
    return f"{value:.3f}"


def difference(before: float, after: float) -> str:
    """Write by how much a metric changed: +0.369."""
    return signed(after - before)


def counted(share: float, total: int) -> str:
    """Write a share with its count: 60.0% (30/50). Ties can make the count a fraction."""
    return f"{percent(share)} ({round(share * total, 1):g}/{total})"


def points(difference: float) -> str:
    """Write a difference of two shares: +40.0 pp."""
    return f"{round(100 * difference, 1) + 0.0:+.1f} pp".replace("-", "−")


def change(first: float, last: float) -> str:
    """Write a relative change: −47.2%."""
    return f"{100 * (last - first) / first:+.1f}%".replace("-", "−") if first else "–"


def size(count: int) -> str:
    """Write a number of bytes."""
    value = float(count)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def interval(share: float, total: int) -> str:
    """Write Wilson's 95% interval of a share of `total` questions."""
    if not total:
        return "–"
    low, high = wilson(share, total)
    return f"{100 * low:.0f}–{100 * high:.0f}%"
