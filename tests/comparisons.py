"""Synthetic results of `stage2 evaluate`, and scored lists."""

from __future__ import annotations

from typing import Any

import numpy as np

from stage2.evaluation.ranking import Scored
from stage2.evaluation.statistics import interval_of

CHANCE = {
    "top1": 1 / 6, "top3": 0.5, "top5": 5 / 6, "mrr": 0.4083, "ndcg10": 0.5508, "mean_rank": 3.5
}  # fmt: skip
CORPUS_CHANCE = {
    "top1": 0.001, "top3": 0.003, "top5": 0.005, "mrr": 0.007, "ndcg10": 0.0045, "mean_rank": 500.5
}  # fmt: skip


def metrics(
    top1: float, top3: float, top5: float, mrr: float, count: int, chance: dict[str, float] = CHANCE
) -> dict[str, Any]:
    return {
        "top1": top1,
        "top3": top3,
        "top5": top5,
        "mrr": mrr,
        "ndcg10": 0.5,
        "mean_rank": 3.0,
        "ties": 0.0,
        "num_queries": count,
        "chance": chance,
    }


def part(
    name: str, source: str, count: int, seen: int, before: float, after: float
) -> dict[str, Any]:
    chance = CHANCE if source == "candidates" else CORPUS_CHANCE
    return {
        "name": name,
        "held_out": name == "test",
        "source": source,
        "num_queries": count,
        "seen_in_training": seen,
        "before": metrics(before, 0.45, 0.8, 0.35, count, chance),
        "after": metrics(after, 0.7, 0.95, 0.55, count, chance),
    }


def held_out_comparison() -> dict[str, Any]:
    return {
        "sets": [
            part("test", "candidates", 20, 0, 0.1, 0.6),
            part("test", "corpus", 20, 0, 0.05, 0.25),
            part("dev", "candidates", 10, 0, 0.2, 0.5),
            part("train", "candidates", 30, 21, 0.1, 0.9),
            part("all", "candidates", 60, 21, 0.1, 0.7),
        ]
    }


def baseline(top1: float, count: int) -> dict[str, Any]:
    """Return the metrics of a baseline over the whole corpus."""
    intervals = {str(k): interval_of(share, count) for k, share in ((1, top1), (3, 0.5), (5, 0.75))}
    measured = metrics(top1, 0.5, 0.75, 0.45, count, CORPUS_CHANCE)
    return measured | {"intervals": intervals}


def with_baselines(comparison: dict[str, Any], top1: float = 0.3) -> dict[str, Any]:
    """Give each set that was ranked over the whole corpus the metrics of BM25."""
    sets = [
        entry | {"baselines": {"bm25": baseline(top1, entry["num_queries"])}}
        if entry["source"] == "corpus"
        else entry
        for entry in comparison["sets"]
    ]
    return comparison | {"sets": sets}


def seen_comparison() -> dict[str, Any]:
    return {"sets": [part("all", "candidates", 50, 35, 0.1, 0.6)]}


def unknown_comparison(models: int) -> dict[str, Any]:
    comparison = {"sets": [part("all", "candidates", 50, 0, 0.1, 0.6)], "trained_on_known": False}
    return comparison | {"models": ["stage1", "stage2"][:models]}


def scored(scores: list[list[float]]) -> Scored:
    offsets = np.cumsum([0, *map(len, scores)], dtype=np.int64)
    flat = np.asarray([value for row in scores for value in row], np.float32)
    ones = np.ones(len(scores), np.int64)
    # The first candidate of each list is compared by entities.
    both = np.isin(np.arange(len(flat)), offsets[:-1])
    return Scored.of(flat, offsets, ones, both)
