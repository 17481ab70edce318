"""How small a gain in MRR a number of held-out questions can show, by simulation.

The model of a training, in which one number, the strength s from 0 to 1, says how much it changes:

- a question whose answer is within reach (`headroom.chances`) comes first with probability s;
- for every three questions that come first, one question, any of them, loses half of its reciprocal
  rank, as if its rank doubled. Training is never without losses, and they make a gain hard to see;
- half of the questions share the fate of their group, drawn once for it, since questions about one
  chunk rise and fall together; the others move by themselves;
- the reciprocal ranks are those of the data. If a question both comes first and loses, the two
  changes are added.

The expected gain is then proportional to s. A test side is drawn as a split is: whole groups of
questions, in random order, until the share is reached. More questions than there are, are drawn as
groups with replacement. A gain is found if the project's own test (`statistics.randomisation`, by
groups) calls the model better at 5%. The power of a gain is the share of simulated test sides on
which it is found.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stage2.evaluation.statistics import LEVEL, randomisation
from stage2.utils.arrays import Doubles, Ints, Mask

# The simulated test sides, and the swaps of the test on each of them. Fewer than `RESAMPLES`, since
# the share of all sides counts, and not a single p.
SIMULATIONS, SWAPS = 200, 999
# A gain can be shown if it is found on this share of the simulated test sides.
POWER = 0.8
# The questions that lose for each one that comes first.
LOSSES = 1 / 3
# The share of the questions that share the fate of their group.
SHARED = 0.5
# A strength is found to 1/2**STEPS; a number of questions, to a part of this many of itself.
STEPS = 8
_PRECISE = 0.05
# More questions than these are not simulated, held-out ones.
MOST = 20_000


@dataclass(frozen=True)
class Design:
    """The rule by which some of the user's questions are held out.

    Attributes:
        reciprocal_ranks: float64 (n,), of the model as it is.
        reach: bool (n,), the questions that training can be expected to move.
        groups: int64 (n,), equal for questions that stay on one side.
        share: the share of the questions on the test side; 1 if all are held out in turn.
        held_out: int64, the rows of the test side if it is given; None if it is drawn.
    """

    reciprocal_ranks: Doubles
    reach: Mask
    groups: Ints
    share: float
    held_out: Ints | None = None

    @property
    def asked(self) -> int:
        """The number of held-out questions."""
        if self.held_out is not None:
            return len(self.held_out)
        return max(1, round(self.share * len(self.groups)))

    @property
    def slope(self) -> float:
        """The expected gain in MRR at strength 1; 0 or less if nothing can be gained."""
        ranks, reach, count = self.reciprocal_ranks, self.reach, max(1, len(self.groups))
        won = float((1 - ranks)[reach].sum()) / count
        lost = LOSSES * float(reach.mean()) * float(ranks.mean()) / 2 if len(ranks) else 0.0
        return won - lost


@dataclass(frozen=True)
class _Sides:
    """Simulated test sides: the groups that each holds, one number for each drawn question."""

    rows: list[Ints]
    units: list[Ints]
    wins: list[Doubles]
    losses: list[Doubles]


def power(
    design: Design, gain: float, target: float, total_of: Callable[[int], float], seed: int
) -> dict[str, Any]:
    """Find what the held-out questions can show.

    Args:
        design: the questions.
        gain: a gain in MRR that the user wants to see.
        target: another one, for which questions may have to be collected.
        total_of: a function that returns how many questions there must be so that a number of them
            is held out.
        seed: the seed of the simulation.

    Returns:
        `held_out`, the number of held-out questions; `groups`, of their groups on average;
        `possible`, the largest gain of the model of a training; `smallest_gain`, the smallest gain
        with the power `POWER`, None if even the largest has less; `gain` and `target`, each with
        its `gain`, its `power` and `more_questions`: how many the user would have to add in all for
        the power `POWER`, None if that is not to be had.
    """
    sides = _draw(design, design.asked, seed, repeats=False)
    slope = design.slope
    # More than all that can be gained is not asked for, unless the user does.
    target = min(target, max(slope, gain))
    found: dict[str, Any] = {
        "held_out": design.asked,
        "groups": float(np.mean([len(np.unique(units)) for units in sides.units])),
        "possible": max(0.0, slope),
        "smallest_gain": None,
    }
    if slope > 0 and _power(design, sides, 1.0, seed) >= POWER:
        low, high = 0.0, 1.0
        for _ in range(STEPS):
            middle = (low + high) / 2
            if _power(design, sides, middle, seed) >= POWER:
                high = middle
            else:
                low = middle
        found["smallest_gain"] = high * slope
    for name, wanted in (("gain", gain), ("target", target)):
        strength = wanted / slope if slope > 0 else math.inf
        facts: dict[str, Any] = {"gain": wanted, "power": None, "more_questions": None}
        if strength <= 1:
            facts["power"] = _power(design, sides, strength, seed)
            facts["more_questions"] = _more(design, strength, facts["power"], total_of, seed)
        found[name] = facts
    return found


def _more(
    design: Design, strength: float, known: float, total_of: Callable[[int], float], seed: int
) -> int | None:
    """Return how many questions to add so that a strength is found; None if `MOST` do not do."""
    if known >= POWER:
        return 0
    if design.asked >= MOST:
        return None

    def enough(asked: int) -> bool:
        sides = _draw(design, asked, seed, repeats=True)
        return _power(design, sides, strength, seed) >= POWER

    low, high = design.asked, min(MOST, 2 * design.asked)
    while not enough(high):
        if high >= MOST:
            return None
        low, high = high, min(MOST, 2 * high)
    while high - low > max(1, _PRECISE * high):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return _rounded_up(total_of(high) - len(design.groups))


def _rounded_up(number: float) -> int:
    """Round up to two digits: more would say more than a simulation knows."""
    unit = int(10 ** max(0, math.floor(math.log10(max(1.0, number))) - 1))
    return max(1, math.ceil(number / unit)) * unit


def _draw(design: Design, asked: int, seed: int, repeats: bool) -> _Sides:
    """Draw test sides of about `asked` questions, and the chance of each question to move."""
    generator = np.random.default_rng([seed, 2, asked])
    order = np.argsort(design.groups, kind="stable")
    _, starts, sizes = np.unique(design.groups[order], return_index=True, return_counts=True)
    sides = _Sides([], [], [], [])
    for _ in range(SIMULATIONS):
        if design.held_out is not None and not repeats:
            rows, units = design.held_out, design.groups[design.held_out]
        else:
            if repeats:
                chosen = generator.integers(0, len(sizes), asked)
            else:
                chosen = generator.permutation(len(sizes))
            # The group with which the share is reached is the last one.
            last = int(np.searchsorted(np.cumsum(sizes[chosen]), asked)) + 1
            chosen = chosen[:last]
            counts = sizes[chosen]
            units = np.repeat(np.arange(len(chosen)), counts)
            ends = np.cumsum(counts)
            inside = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
            rows = order[starts[chosen][units] + inside]
        units = np.unique(units, return_inverse=True)[1].reshape(-1)
        sides.rows.append(rows)
        sides.units.append(units)
        sides.wins.append(_fates(units, generator))
        sides.losses.append(_fates(units, generator))
    return sides


def _fates(units: Ints, generator: np.random.Generator) -> Doubles:
    """Draw a number from 0 to 1 for each question; many of a group have the same: float64 (m,)."""
    own, shared = generator.random((2, len(units)))
    of_group = generator.random(int(units.max()) + 1)
    return np.where(shared < SHARED, of_group[units], own)


def _power(design: Design, sides: _Sides, strength: float, seed: int) -> float:
    """Return the share of the sides on which a training of this strength is found to be better.

    The same questions move at a lower strength, and others with them at a higher one.
    """
    losing = LOSSES * strength * float(design.reach.mean())
    found = 0
    for rows, units, wins, losses in zip(
        sides.rows, sides.units, sides.wins, sides.losses, strict=True
    ):
        ranks = design.reciprocal_ranks[rows]
        won, lost = design.reach[rows] & (wins < strength), losses < losing
        change = won * (1 - ranks) - lost * ranks / 2
        sums = np.bincount(units, change).astype(np.float64)
        if sums.sum() > 0:
            p = randomisation(sums, np.random.default_rng([seed, 3]), SWAPS)
            found += p <= LEVEL
    return found / len(sides.rows)
