"""Intervals and significance tests of paired results, with numpy only.

The Top-k of a question, elsewhere called Success@k, is the probability that a ground truth is among
the first k. It is a fraction if scores are equal. Wilson's interval uses the mean of these
probabilities as its share. McNemar's test needs a yes or a no: a question is a success if its
expected rank is k or better, so that a tie is not a win.

The results of questions about the same chunk depend on each other. If the groups of such questions
are given, whole groups are drawn, and whole groups swap sides. A test that took the questions for
independent would count one event several times. Wilson's interval and McNemar's test know no
groups. They do not decide the verdict, and the report says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stage2.utils.arrays import Doubles

# The quantile of the normal distribution for a two-sided 95% interval.
_Z = 1.959963984540054

LEVEL = 0.05
RESAMPLES = 10_000
# The quantiles at the ends of a two-sided interval.
_ENDS = (LEVEL / 2, 1 - LEVEL / 2)

# So many draws are in memory at a time: 16 MB of int64, which suits the processor's cache.
_BLOCK = 1 << 21


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences.

    Attributes:
        mean: the mean over the questions.
        low: the lower end of the 95% bootstrap interval (percentiles).
        high: the upper end of this interval.
        p: the two-sided p of the randomisation test.
    """

    mean: float
    low: float
    high: float
    p: float

    @property
    def entries(self) -> dict[str, float]:
        """The difference as it stands in `comparison.json`, beside what it is the difference of."""
        return {"difference": self.mean, "low": self.low, "high": self.high, "p": self.p}


def wilson(share: float, total: int) -> tuple[float, float]:
    """Return Wilson's 95% score interval of a share of independent trials.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.

    Args:
        share: the share of successes, from 0 to 1.
        total: the number of trials, at least 1.
    """
    spread = _Z * _Z / total
    centre = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def mcnemar(fixed: int, broken: int) -> float:
    """Return the two-sided p of McNemar's exact test.

    It tests whether changes for the better and for the worse are equally likely: p is twice the
    lower tail of the binomial distribution of n fair coins, at most 1. It is computed with whole
    numbers, so it is exact for any n.

    Args:
        fixed: the number of changes for the better.
        broken: the number of changes for the worse.
    """
    total, term, tail = fixed + broken, 1, 0
    for heads in range(min(fixed, broken) + 1):
        tail += term
        term = term * (total - heads) // (heads + 1)
    return float(min(1.0, 2 * tail / 2**total))


def paired_differences(
    differences: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> list[Difference]:
    """Compute the interval and the test of the mean difference of each metric.

    Args:
        differences: float64 (metrics, n), after minus before for each of n questions; n is at
            least 1.
        groups: int64 (n,), equal for questions that are not independent. None means that all are
            independent.
        seed: the seed of the draws.
        resamples: the number of draws.

    Returns:
        The difference of each metric.
    """
    values = np.asarray(differences, np.float64)
    sums, sizes = sums_of_groups(values, groups)
    intervals = bootstrap(sums, sizes, np.random.default_rng([seed, 0]), resamples, _ENDS)
    return [
        Difference(
            mean=float(row.mean()),
            low=float(low),
            high=float(high),
            p=randomisation(total, np.random.default_rng([seed, 1]), resamples),
        )
        for row, total, (low, high) in zip(values, sums, intervals, strict=True)
    ]


def mean_intervals(
    values: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> list[dict[str, float]]:
    """Compute the bootstrap interval of the mean of each metric, with the draws of the differences.

    Args:
        values: float64 (metrics, n), what each of n questions has; n is at least 1.
        groups: as in `paired_differences`.
        seed: as in `paired_differences`.
        resamples: as in `paired_differences`.

    Returns:
        The mean of each metric and its 95% interval (percentiles), in the form of
        `comparison.json`.
    """
    rows = np.asarray(values, np.float64)
    sums, sizes = sums_of_groups(rows, groups)
    found = bootstrap(sums, sizes, np.random.default_rng([seed, 0]), resamples, _ENDS)
    return [
        {"value": float(row.mean()), "low": float(low), "high": float(high)}
        for row, (low, high) in zip(rows, found, strict=True)
    ]


def verdict_of(difference: Difference) -> str:
    """Return `better` or `worse` if the randomisation test rejects at 5%, else `no_evidence`.

    The test is two-sided: if two models are equally good, the verdict is `better` in at most 2.5%
    of experiments, and `worse` in at most 2.5%.
    """
    if difference.p > LEVEL or difference.mean == 0:
        return "no_evidence"
    return "better" if difference.mean > 0 else "worse"


def sums_of_groups(values: Doubles, groups: npt.ArrayLike | None = None) -> tuple[Doubles, Doubles]:
    """Add up the differences of the questions of each group.

    Args:
        values: float64 (metrics, n), the differences.
        groups: int64 (n,), equal for questions that are not independent; None if all are.

    Returns:
        float64 (metrics, groups), the sums; and float64 (groups,), the number of questions in each.
    """
    if groups is None:
        return values, np.ones(values.shape[1])
    _, member, counts = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    return np.stack([np.bincount(member, row) for row in values]), counts.astype(np.float64)


def bootstrap(
    sums: Doubles,
    sizes: Doubles,
    generator: np.random.Generator,
    resamples: int,
    quantiles: tuple[float, ...],
) -> Doubles:
    """Compute percentiles of resampled mean differences. Groups are drawn with replacement.

    Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 13. All metrics use the
    same draws.

    Args:
        sums: float64 (metrics, groups), the sum of the differences in each group.
        sizes: float64 (groups,), the number of questions in each group.
        generator: the generator of the draws.
        resamples: the number of draws.
        quantiles: which percentiles, as shares: those of a two-sided 95% interval are 0.025 and
            0.975.

    Returns:
        float64 (metrics, quantiles).
    """
    count = len(sizes)
    means = np.empty((len(sums), resamples))
    for start, rows in blocks(resamples, count):
        drawn = generator.integers(0, count, (rows, count))
        questions = sizes[drawn].sum(axis=1)
        for metric, values in enumerate(sums):
            means[metric, start : start + rows] = values[drawn].sum(axis=1) / questions
    return np.quantile(means, quantiles, axis=1).T


def randomisation(sums: Doubles, generator: np.random.Generator, resamples: int) -> float:
    """Compute the two-sided p of the paired randomisation test.

    In this test before and after swap sides at random. If there are at most `resamples` ways to
    swap, all are tried. Otherwise so many are drawn, and the observed result counts as one more
    (Phipson and Smyth, 2010), so that the test keeps its level.

    Args:
        sums: float64 (groups,), the sum of the differences in each group.
        generator: the generator of the swaps.
        resamples: the largest number of ways that are tried.
    """
    # A group without a difference adds nothing on either side.
    changed = sums[sums != 0]
    count = len(changed)
    # Sums of the same numbers in another order can differ in the last bits. They count as equal.
    bound = abs(changed.sum()) - 1e-12 * np.abs(changed).sum()
    exact = 2**count <= resamples
    ways = 2**count if exact else resamples
    extreme = 0
    for start, rows in blocks(ways, count):
        if exact:
            ways_here = np.arange(start, start + rows, dtype=np.int64)[:, None]
            swapped = (ways_here >> np.arange(count) & 1).astype(np.uint8)
        else:
            # Whole 64-bit words are drawn. If bytes were drawn, the generator would keep some for
            # the next block, and the result would depend on the size of blocks.
            words = generator.integers(0, 2**64, (rows, -(-count // 64)), dtype=np.uint64)
            swapped = np.unpackbits(words.view(np.uint8), axis=1, count=count)
        # A matrix product is avoided, because its order of summation depends on the threads.
        moved = np.einsum("rc,c->r", swapped, changed)
        extreme += int(np.count_nonzero(np.abs(changed.sum() - 2 * moved) >= bound))
    return extreme / ways if exact else (extreme + 1) / (ways + 1)


def blocks(total: int, width: int) -> list[tuple[int, int]]:
    """Cut `total` rows of `width` numbers into (start, rows) of bounded memory."""
    step = max(1, _BLOCK // max(1, width))
    return [(start, min(step, total - start)) for start in range(0, total, step)]


def interval_of(share: float, total: int) -> dict[str, Any]:
    """Return a share and its Wilson interval in the form of `comparison.json`."""
    low, high = wilson(share, total)
    return {"value": share, "low": low, "high": high}
