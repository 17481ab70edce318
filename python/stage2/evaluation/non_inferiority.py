"""The test of non-inferiority: is a model not worse than another by more than a margin?

A test that finds no loss does not show that there is none: with few questions it finds nothing. So
the margin is stated beforehand, and "not worse" needs evidence of its own: the lower end of the
one-sided 95% interval of the mean difference lies above -margin. See Piaggio et al., "Reporting of
noninferiority and equivalence randomized trials", JAMA 2012.

Most questions change nothing, and few lose much. A bootstrap cannot draw a loss that no question
had, so its interval is too short: where none of 30 questions changed, it has no width at all. So
the lower end is that of Gaffke ("Three test statistics for a nonparametric one-sided hypothesis on
the mean of a nonnegative variable", Mathematical Methods of Statistics 2005). It weighs the groups
at random, by Dirichlet weights as the Bayesian bootstrap does (Rubin, Annals of Statistics 1981),
together with one more group that lost everything. Where questions lose all or nothing this is the
exact limit of Clopper and Pearson. For many groups the one more is nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stage2.evaluation.statistics import (
    LEVEL,
    RESAMPLES,
    Difference,
    blocks,
    bootstrap,
    randomisation,
    sums_of_groups,
)
from stage2.utils.arrays import Doubles

NOT_WORSE, WORSE, UNDECIDED = "not_worse", "worse", "undecided"

# A question's reciprocal rank lies between 0 and 1.
_MOST_LOST = 1.0


@dataclass(frozen=True)
class NonInferiority(Difference):
    """The result of a test of non-inferiority, about the mean of after minus before.

    Attributes:
        low: the lower end of the one-sided 95% interval.
        high: the upper end of the one-sided 95% interval.
        p: the one-sided p of the randomisation test that there is no loss.
        groups: the number of groups that were drawn.
        verdict: `not_worse`, `worse` or `undecided`.
    """

    groups: int
    verdict: str


def non_inferiority(
    differences: Doubles,
    groups: npt.ArrayLike | None,
    margin: float,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> NonInferiority:
    """Test whether the mean difference is above -margin, and whether it is below 0.

    - `not_worse`: the lower end lies above -margin. A loss below the margin is allowed, even one
      that is certain, because the margin says so.
    - `worse`: the upper end lies below 0, and the one-sided randomisation test rejects at 5%. With
      few changes the interval alone would call a model worse that is as good.
    - `undecided`: neither.

    Args:
        differences: float64 (n,), after minus before for each of n questions, from -1 to 1; n is at
            least 1.
        groups: int64 (n,), equal for questions that are not independent; None if all are.
        margin: the largest loss that is allowed, above 0.
        seed: the seed of the draws.
        resamples: the number of draws.
    """
    sums, sizes = sums_of_groups(np.asarray(differences, np.float64)[None], groups)
    low = _lower_end(sums[0], sizes, np.random.default_rng([seed, 2]), resamples)
    (high,) = bootstrap(
        sums, sizes, np.random.default_rng([seed, 0]), resamples, (1 - LEVEL,)
    )[0]  # fmt: skip
    mean = float(np.mean(differences))
    two_sided = randomisation(sums[0], np.random.default_rng([seed, 1]), resamples)
    p = two_sided / 2 if mean < 0 else 1 - two_sided / 2
    verdict = UNDECIDED
    if low > -margin:
        verdict = NOT_WORSE
    elif high < 0 and p <= LEVEL:
        verdict = WORSE
    return NonInferiority(mean, low, float(high), p, len(sizes), verdict)


def least_groups(margin: float) -> int:
    """Return how many groups of questions it takes at least to show that a loss is below a margin.

    If so many groups without a change were drawn where one in 1 / margin loses everything, that
    would be a chance of 5%: (1 - margin)^groups.

    Args:
        margin: the margin, above 0 and below 1.
    """
    return math.ceil(math.log(LEVEL) / math.log1p(-margin))


def _lower_end(
    sums: Doubles, sizes: Doubles, generator: np.random.Generator, resamples: int
) -> float:
    """Compute the lower end of Gaffke's one-sided 95% interval, with groups in place of values.

    Args:
        sums: float64 (groups,), the sum of the differences in each group.
        sizes: float64 (groups,), the number of questions in each group.
        generator: the generator of the weights.
        resamples: the number of draws.
    """
    size = sizes.mean()
    sums, sizes = np.append(sums, -_MOST_LOST * size), np.append(sizes, size)
    means = np.empty(resamples)
    for start, rows in blocks(resamples, len(sizes)):
        # Weights need not add up to 1, since a ratio is taken. Two products of matrices are
        # avoided, because their order of summation depends on the threads.
        weights = generator.standard_exponential((rows, len(sizes)))
        total = np.einsum("rc,c->r", weights, sums)
        means[start : start + rows] = total / np.einsum("rc,c->r", weights, sizes)
    return float(np.quantile(means, LEVEL))
