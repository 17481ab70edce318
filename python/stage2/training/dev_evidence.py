"""What dev questions can tell of two models, and what may be chance."""

from __future__ import annotations

import numpy as np

from stage2.utils.arrays import Doubles

# An epoch that is to be refitted may be worse than the best candidate by so much dev MRR, and by no
# more than chance makes of two equal models in 19 experiments of 20: so many standard errors of the
# difference. With few questions that is much, and would allow any loss.
_TOLERATED = 0.01
ERRORS = 1.645

# So many dev questions tell that stage 1 is at chance, by labels that do not fit: its MRR is not
# above that of a random order by 1.645 standard errors, and is below so many times that by as many.
# Right labels give a model that reads the texts many times as much.
_TELLING = 20
NEAR_CHANCE = 2.0


def undecided(after: Doubles, before: Doubles) -> float | None:
    """Return how uncertain a loss of dev MRR is, if it is too small to count.

    Args:
        after: float64 (n,), the reciprocal ranks of an epoch.
        before: float64 (n,), those of a candidate that is better on dev.

    Returns:
        The standard error of the mean difference, if the mean of `after` is lower by no more than
        1.645 times that and by no more than 0.01; else None.
    """
    return by_chance(after, before) if np.mean(after - before) >= -_TOLERATED else None


def by_chance(after: Doubles, before: Doubles) -> float | None:
    """Return the same as `undecided`, of a loss that may be larger than 0.01."""
    if len(after) < 2:
        return None
    change = after - before
    error = float(change.std(ddof=1) / np.sqrt(len(change)))
    return error if change.mean() >= -ERRORS * error else None


def says_nothing(after: Doubles, before: Doubles, chance: float) -> bool:
    """Return whether labels say nothing about a model and its training.

    Args:
        after: float64 (n,), the reciprocal ranks after training.
        before: float64 (n,), those before it.
        chance: the MRR of a random order.

    Returns:
        True if there are 20 questions or more, the MRR before training is not above that of a
        random order by 1.645 standard errors and is below twice that by as many, and the MRR after
        training is not higher by 1.645 standard errors of the difference.
    """
    if len(before) < _TELLING:
        return False
    root, change = np.sqrt(len(before)), after - before
    error, mean = ERRORS * before.std(ddof=1) / root, before.mean()
    at_chance = mean - error <= chance and mean + error < NEAR_CHANCE * chance
    told = change.mean() > ERRORS * change.std(ddof=1) / root
    return bool(at_chance and not told)
