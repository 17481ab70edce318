"""Gaffke's lower end, a draw at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def lower_end(differences: Sequence[float], groups: Sequence[int], seed: int, draws: int) -> float:
    """Return the 5th percentile of the mean, over random weights of the groups and of one more."""
    names = sorted(set(groups))
    members = [[d for d, g in zip(differences, groups, strict=True) if g == name] for name in names]
    size = len(differences) / len(names)
    sums, sizes = [*map(sum, members), -size], [*map(len, members), size]
    generator = np.random.default_rng([seed, 2])
    means = []
    for _ in range(draws):
        weights = [float(generator.standard_exponential()) for _ in sums]
        lost = sum(weight * total for weight, total in zip(weights, sums, strict=True))
        asked = sum(weight * count for weight, count in zip(weights, sizes, strict=True))
        means.append(lost / asked)
    return float(np.quantile(means, 0.05))
