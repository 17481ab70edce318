"""The plan of a search within a budget: every plan is tried, from the best one down."""

from __future__ import annotations

import math
from collections.abc import Sequence

Times = Sequence[Sequence[float]]


def slow_search(times: Times, level: int, jobs: int = 1) -> float:
    """Add up the rungs of a search. Each has a third of the trials: those that take longest."""
    total, count, here = 0.0, len(times), level
    while here >= 0:
        if count == 1:
            here = 0
        longest = sorted(trial[here] for trial in times)[-count:]
        total += max(*longest, sum(longest) / jobs)
        count, here = math.ceil(count / 3), here - 1
    return total


def slow_plan(times: Times, levels: int, room: float, jobs: int = 1) -> tuple[int, int] | None:
    """Return the number of trials and the level of the first rung, or None if none fits."""
    for count in range(len(times), 0, -1):
        for level in range(levels):
            if level and 3 ** (level - 1) >= count:
                break  # the rung before would have had a single trial
            if slow_search(times[:count], level, jobs) <= room:
                return count, level
    return None
