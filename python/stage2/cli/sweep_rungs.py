"""The arithmetic of a search within a budget: which trials are trained on how many questions.

The search is successive halving (Jamieson and Talwalkar, "Non-stochastic best arm identification
and hyperparameter optimization", 2016, algorithm 1) with the rate `ETA` of Hyperband (Li et al.,
2018): all trials are trained on a share of the questions, the best `1 / ETA` of them on `ETA` times
as many, and so on until the last ones are trained on all. Two things differ. There are only as many
rungs as the budget needs, since few questions judge badly. And a trial that the dev questions
cannot tell from the best one goes on if the budget has room for it.

Nothing here reads a clock or a file.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from stage2.utils.errors import BadInputError

# A rung keeps one of so many trials, and the next one has so many times as many questions.
ETA = 3

# Why a trial went no further: it failed; the best trial of its rung is better, by more than chance
# explains; it is within noise of the best, and the budget has no room for it; it is within noise of
# the winner; others were drawn; or all questions would take it longer than the budget.
Reason: TypeAlias = Literal["failed", "worse", "no_room", "even", "not_drawn", "too_long"]


@dataclass(frozen=True)
class Cost:
    """The seconds of a trial: those of its training, and those of all else."""

    training: float
    other: float


@dataclass(frozen=True)
class Estimate:
    """How long trials take, and how many of them run at a time.

    Attributes:
        costs: for each trial its cost at each level. Level 0 has all questions of the training
            side, and every next level about `1 / ETA` of those of the one before.
        once: the seconds of what is done once, whatever the trials.
        jobs: the number of trials at a time.
        training: what the training was measured to take, as a multiple of its estimate.
        other: the same for all else.
    """

    costs: Mapping[str, Sequence[Cost]]
    once: float
    jobs: int = 1
    training: float = 1.0
    other: float = 1.0

    def of(self, name: str, level: int) -> float:
        """Return the seconds of a trial at a level."""
        cost = self.costs[name][level]
        return self.training * cost.training + self.other * cost.other

    def rung(self, names: Collection[str], level: int, count: int | None = None) -> float:
        """Return the seconds of a rung with the `count` longest of some trials, or with all."""
        each = sorted((self.of(name, level) for name in names), reverse=True)[:count]
        # No schedule of independent jobs is shorter, and the usual one is hardly longer.
        return max(sum(each) / self.jobs, each[0])

    def search(self, names: Collection[str], level: int) -> float:
        """Return the seconds of a search with these trials, from a level on, at most.

        Which trials are kept is not known before, so those that take longest are counted.
        """
        seconds, count = 0.0, len(names)
        while True:
            level = next_level(level, count)
            seconds += self.rung(names, level, count)
            if level == 0:
                return seconds
            level, count = level - 1, math.ceil(count / ETA)

    def corrected(self, names: Collection[str], level: int, took: Cost) -> Estimate:
        """Return the estimate after a rung took so long, all its trials together."""
        costs = [self.costs[name][level] for name in names]
        training, other = sum(cost.training for cost in costs), sum(cost.other for cost in costs)
        return replace(
            self,
            training=took.training / training if training and took.training else self.training,
            other=took.other / other if other and took.other else self.other,
        )


@dataclass(frozen=True)
class Rung:
    """A rung of a search.

    Attributes:
        level: the level of its questions; see `Estimate`.
        questions: the number of questions of the training side that it trains on.
        trials: the number of its trials, as planned.
        seconds: how long it is likely to take.
    """

    level: int
    questions: int
    trials: int
    seconds: float


def next_level(level: int, trials: int) -> int:
    """Return the level of a rung with so many trials: a single one is trained on all questions."""
    return 0 if trials == 1 else level


def kept_counts(trials: int) -> list[int]:
    """Return how many of the trials of a rung the next rungs have, down to a single one."""
    counts = []
    while trials > 1:
        trials = math.ceil(trials / ETA)
        counts.append(trials)
    return counts


def planned(
    estimate: Estimate, sizes: Sequence[int], order: Sequence[str], budget: float
) -> tuple[list[Rung], list[str], dict[str, Reason]]:
    """Plan a search: as many trials as the budget has room for, and then as few rungs as suffice.

    With fewer rungs, each trial is judged on more questions. If the budget has room for all trials
    on all questions, there is one rung.

    Args:
        estimate: how long trials take.
        sizes: the number of questions at each level.
        order: the names of the trials; those at the front come first if not all fit.
        budget: in seconds.

    Returns:
        The rungs, the trials of the first one in the order given, and why each other trial is left
        out.

    Raises:
        BadInputError: not even one trial fits.
    """
    room = budget - estimate.once
    alone = {name: estimate.of(name, 0) for name in order}
    fitting = [name for name in order if alone[name] <= room]
    if not fitting:
        minutes = math.ceil((estimate.once + min(alone.values())) / 6) / 10
        raise BadInputError(
            f"--budget {budget / 60:g} is too short for one trial: it needs about {minutes:g} "
            "minutes on this machine. Give more, or trials that take less (fewer --epochs)"
        )

    def level_for(count: int) -> int | None:
        levels = range(min(len(sizes) - 1, len(kept_counts(count))) + 1)
        return next((x for x in levels if estimate.search(fitting[:count], x) <= room), None)

    def is_above(count: int) -> bool:
        names = fitting[:count]
        return all(estimate.rung(names, level) > room for level in range(len(sizes)))

    # One trial fits, so the loop ends with a count of 1 or more.
    count = max(1, bisect_left(range(1, len(fitting) + 1), True, key=is_above))
    while (top := level_for(count)) is None:
        count -= 1
    chosen = fitting[:count]
    counts = [count, *kept_counts(count)]
    rungs = [
        Rung(level, sizes[level], number, estimate.rung(chosen, level, number))
        for level, number in zip(range(top, -1, -1), counts, strict=False)
    ]
    out: dict[str, Reason] = {
        name: "not_drawn" if name in fitting else "too_long" for name in order if name not in chosen
    }
    return rungs, chosen, out


def kept(
    ranked: Sequence[str],
    even: Collection[str],
    wanted: int,
    spare: Estimate,
    level: int,
    room: float,
) -> list[str]:
    """Choose the trials of the next rung.

    The best `wanted` trials go on, and then those that are within noise of the best, as long as all
    that is left to do fits in the budget. If the trials took longer than was expected, fewer go on,
    but always one.

    Args:
        ranked: the trials of the rung that did not fail, the best first.
        even: those that the dev questions cannot tell from the best one.
        wanted: how many should go on.
        spare: the estimate, corrected by what was measured.
        level: the level of the next rung.
        room: the seconds that are left for trials.
    """
    found = list(ranked[:wanted])
    while len(found) > 1 and spare.search(found, level) > room:
        found.pop()
    if len(found) < wanted:
        return found
    for name in ranked[wanted:]:
        if name in even and spare.search([*found, name], level) <= room:
            found.append(name)
    return found


def more(
    spare: Estimate, names: Sequence[str], waiting: Sequence[str], level: int, room: float
) -> list[str]:
    """Choose trials that join the first rung, where its own took less time than was expected.

    Args:
        spare: the estimate, corrected by what was measured.
        names: the trials of the first rung, which have ended.
        waiting: those that were left out, in the order in which they would join.
        level: the level of the first rung.
        room: the seconds that are left for trials.
    """
    added: list[str] = []
    for name in waiting:
        joining, everyone = [*added, name], [*names, *added, name]
        later = spare.search(everyone, level) - spare.rung(everyone, level)
        if spare.rung(joining, level) + later > room:
            break
        added = joining
    return added
