"""Slow twins of the losses that learn from a teacher, and of the spread of its scores."""

from __future__ import annotations

import math
from collections.abc import Sequence

Scores = Sequence[float]


def margin_mse(student: Scores, teacher: Scores, relevant: int, least: float | None) -> float:
    """Return the mean square of what the margins lack; the first `relevant` scores are so."""
    found = []
    for p in range(relevant):
        for n in range(relevant, len(student)):
            wanted = teacher[p] - teacher[n]
            if least is not None and wanted < least:
                wanted = least
            found.append(((student[p] - student[n]) - wanted) ** 2)
    return math.fsum(found) / len(found) if found else 0.0


def divergence(student: Scores, teacher: Scores, temperature: float) -> float:
    """Return the Kullback-Leibler divergence of the student's softmax from the teacher's."""
    p, q = (_chances(scores, temperature) for scores in (teacher, student))
    return math.fsum(a * (math.log(a) - math.log(b)) for a, b in zip(p, q, strict=True))


def similarity_mse(student: Scores, teacher: Scores) -> float:
    """Return half the mean square of what the margins of all pairs lack."""
    found = [
        ((student[i] - student[j]) - (teacher[i] - teacher[j])) ** 2
        for i in range(len(student))
        for j in range(len(student))
    ]
    return math.fsum(found) / len(found) / 2


def spread(lists: Sequence[Scores]) -> float:
    """Return the root of the mean variance of the lists that have a score."""
    variances = []
    for scores in lists:
        if scores:
            mean = math.fsum(scores) / len(scores)
            variances.append(math.fsum((x - mean) ** 2 for x in scores) / len(scores))
    return math.sqrt(math.fsum(variances) / len(variances)) if variances else 0.0


def _chances(scores: Scores, temperature: float) -> list[float]:
    highest = max(scores)
    powers = [math.exp((score - highest) / temperature) for score in scores]
    return [power / math.fsum(powers) for power in powers]
