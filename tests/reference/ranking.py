"""Ranks, metrics and ties of one list of candidates."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

Metric = Callable[[list[float]], float]


def expected(scores: list[float], gains: list[float], metric: Metric) -> float:
    """Return the mean of a metric over every order of the candidates that their scores allow.

    The metric gets the gains in that order. A gain of 0 means that the candidate is not relevant.
    """
    groups = [
        [i for i, score in enumerate(scores) if score == value]
        for value in sorted(set(scores), reverse=True)
    ]
    orders = itertools.product(*(itertools.permutations(group) for group in groups))
    values = [metric([gains[i] for group in order for i in group]) for order in orders]
    return math.fsum(values) / len(values)


def by_trec_eval(scores: list[float], gains: list[float], keys: list[int], metric: Metric) -> float:
    """Return the metric of the order in which, among equal scores, the larger key comes first."""
    order = sorted(range(len(scores)), key=lambda i: (scores[i], keys[i], i), reverse=True)
    return metric([gains[i] for i in order])


def first_place(gains: list[float]) -> int:
    return next(place for place, gain in enumerate(gains, 1) if gain > 0)


def dcg(gains: list[float], k: int) -> float:
    return sum(gain / math.log2(place + 1) for place, gain in enumerate(gains[:k], 1))


def ndcg(gains: list[float], k: int) -> float:
    return dcg(gains, k) / dcg(sorted(gains, reverse=True), k)


def recall(gains: list[float], k: int) -> float:
    relevant = [gain > 0 for gain in gains]
    return sum(relevant[:k]) / sum(relevant)


def average_precision(gains: list[float]) -> float:
    places = [place for place, gain in enumerate(gains, 1) if gain > 0]
    return sum(n / place for n, place in enumerate(places, 1)) / len(places)


def counts(scores: list[float], relevant: int) -> tuple[list[int], list[int]]:
    """Count for each of the first `relevant` candidates the higher and the equal scores.

    A candidate's own score is among the equal ones.
    """
    own = scores[:relevant]
    return [sum(s > o for s in scores) for o in own], [scores.count(o) for o in own]


def kendall_tau(scores: list[float]) -> float:
    """Return tau-b between the given order, the best first, and the scores; 0 if undefined."""
    pairs = list(itertools.combinations(scores, 2))
    concordant = sum(a > b for a, b in pairs)
    discordant = sum(a < b for a, b in pairs)
    if concordant + discordant == 0:
        return 0.0
    return (concordant - discordant) / math.sqrt(len(pairs) * (concordant + discordant))
