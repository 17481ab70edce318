"""Reciprocal rank fusion as its authors write it, slow and plain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def reciprocal_rank_fusion(systems: Sequence[Mapping[int, float]], count: int) -> list[float]:
    """Fuse systems that each name some of `count` documents with a score.

    The sum is over the systems that name a document: 1/(60 + its rank there). Equal scores have
    the mean of the ranks that they share.
    """
    fused = [0.0] * count
    for scores in systems:
        for document, score in scores.items():
            above = sum(other > score for other in scores.values())
            equal = sum(other == score for other in scores.values())
            fused[document] += 1 / (60 + above + (equal + 1) / 2)
    return fused
