"""How far a difference can be trusted: intervals and tests of paired results, over numpy alone.

Top-k of a question, which others call Success@k, is the probability that a ground truth is among
the first k: a fraction where scores tie. Wilson's interval takes the mean of those as its share.
McNemar's test needs a yes or a no: a question counts as a success where the expected rank is k or
better, so that a tie is not a win.

Questions about the same chunk rise and fall together. Where their groups are given, whole groups
are drawn and whole groups swap sides; a test that took them for independent would see evidence in
what is one event told five times. Wilson's interval and McNemar's test have no groups: they are for
looking, and the report says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

# Two-sided 95% of a normal distribution.
_Z = 1.959963984540054

LEVEL = 0.05
RESAMPLES = 10_000

# Draws held at a time: 16 MB of int64, which a cache can still follow.
_BLOCK = 1 << 21


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences.

    Attributes:
        mean: of the questions.
        low: lower end of the 95% bootstrap interval (percentiles).
        high: its upper end.
        p: two-sided, of the randomisation test.
    """

    mean: float
    low: float
    high: float
    p: float


def wilson(share: float, total: int) -> tuple[float, float]:
    """Wilson's 95% score interval of a share of `total` independent trials, `total` at least 1.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
    """
    spread = _Z * _Z / total
    centre = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def mcnemar(fixed: int, broken: int) -> float:
    """Two-sided p of McNemar's exact test: of n changes, are as many for the better as the worse?

    Twice the lower tail of a binomial distribution of n fair coins, at most 1; in whole numbers,
    so that it is exact for any n.
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
    """Interval and test of the mean difference of each metric.

    Args:
        differences: float64 (metrics, n), after less before, a column a question; n at least 1.
        groups: int64 (n,), equal for questions that are not independent. None: all are.
        seed: of the draws.
        resamples: how many.
    """
    values = np.asarray(differences, np.float64)
    if groups is None:
        sums, sizes = values, np.ones(values.shape[1])
    else:
        _, member, counts = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
        sums = np.stack([np.bincount(member, row) for row in values])
        sizes = counts.astype(np.float64)
    intervals = _bootstrap(sums, sizes, np.random.default_rng([seed, 0]), resamples)
    return [
        Difference(
            mean=float(row.mean()),
            low=float(low),
            high=float(high),
            p=_randomisation(total, np.random.default_rng([seed, 1]), resamples),
        )
        for row, total, (low, high) in zip(values, sums, intervals, strict=True)
    ]


def verdict_of(difference: Difference) -> str:
    """`better` or `worse` where the randomisation test rejects at 5%, else `no_evidence`.

    The test is two-sided: of experiments in which the two models are equally good it calls at most
    2.5% better and at most 2.5% worse.
    """
    if difference.p > LEVEL or difference.mean == 0:
        return "no_evidence"
    return "better" if difference.mean > 0 else "worse"


def _bootstrap(
    sums: Doubles, sizes: Doubles, generator: np.random.Generator, resamples: int
) -> Doubles:
    """95% percentile intervals of mean differences, groups drawn with replacement.

    Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 13. Every metric is
    measured on the same draws.

    Args:
        sums: float64 (metrics, groups), differences summed within each group.
        sizes: float64 (groups,), questions in each.
        generator: of the draws.
        resamples: how many draws.

    Returns:
        float64 (metrics, 2).
    """
    count = len(sizes)
    means = np.empty((len(sums), resamples))
    for start, rows in _blocks(resamples, count):
        drawn = generator.integers(0, count, (rows, count))
        questions = sizes[drawn].sum(axis=1)
        for metric, values in enumerate(sums):
            means[metric, start : start + rows] = values[drawn].sum(axis=1) / questions
    return np.quantile(means, (LEVEL / 2, 1 - LEVEL / 2), axis=1).T


def _randomisation(sums: Doubles, generator: np.random.Generator, resamples: int) -> float:
    """Two-sided p of the paired randomisation test: before and after swap sides at random.

    Every way to swap is looked at where there are at most `resamples` of them; otherwise as many
    are drawn, and what was observed counts as one more (Phipson and Smyth, 2010), so that the test
    keeps its level.

    Args:
        sums: float64 (groups,), differences summed within each group.
        generator: of the swaps.
        resamples: most ways to swap that are looked at.
    """
    # What did not change adds nothing, whichever side it stands on.
    changed = sums[sums != 0]
    count = len(changed)
    # Sums of the same numbers in another order differ in their last bits: those are equal.
    bound = abs(changed.sum()) - 1e-12 * np.abs(changed).sum()
    exact = 2**count <= resamples
    ways = 2**count if exact else resamples
    extreme = 0
    for start, rows in _blocks(ways, count):
        if exact:
            ways_here = np.arange(start, start + rows, dtype=np.int64)[:, None]
            swapped = (ways_here >> np.arange(count) & 1).astype(np.uint8)
        else:
            # Whole words: of bytes the generator would keep some back from block to block.
            words = generator.integers(0, 2**64, (rows, -(-count // 64)), dtype=np.uint64)
            swapped = np.unpackbits(words.view(np.uint8), axis=1, count=count)
        # Not a product of matrices: how those are summed depends on the number of threads.
        moved = np.einsum("rc,c->r", swapped, changed)
        extreme += int(np.count_nonzero(np.abs(changed.sum() - 2 * moved) >= bound))
    return extreme / ways if exact else (extreme + 1) / (ways + 1)


def _blocks(total: int, width: int) -> list[tuple[int, int]]:
    """Cut `total` rows of `width` numbers into (start, rows) of bounded memory."""
    step = max(1, _BLOCK // max(1, width))
    return [(start, min(step, total - start)) for start in range(0, total, step)]


def interval_of(share: float, total: int) -> dict[str, Any]:
    """A share with its Wilson interval, as `comparison.json` has it."""
    low, high = wilson(share, total)
    return {"value": share, "low": low, "high": high}
