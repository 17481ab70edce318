"""Ranks by a run: what it lacks stands below, ground truths last."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stage2 import Dataset
from stage2.encoding.ranking_lists import ranking_lists
from stage2.evaluation.run_ranks import RunScores, below, evaluate_run

CHUNKS = [f"c{i:02}" for i in range(20)]


def found(corpus: dict[str, Path], own: dict[str, tuple[list[str], list[float]]]) -> list[float]:
    """Return the ranks in the corpus of the 12 questions, whose ground truths are c00 to c10."""
    samples = Dataset.load(corpus["qa"], corpus["chunks"]).construct(5, 0)
    arrays = {one: (ids, np.asarray(scores, np.float32)) for one, (ids, scores) in own.items()}
    run, unknown = RunScores.of(samples, arrays)
    assert unknown == [one for ids, _ in own.values() for one in ids if one not in CHUNKS]
    lists = ranking_lists(None, samples, None, corpus=True)
    evaluation = evaluate_run(lists, run)
    assert evaluation.corpus is not None
    among = evaluation.candidates.ranking.rank
    # A ground truth that was not found is last of its six candidates too.
    lacking = [i for i, one in enumerate(samples.qa_ids) if one not in own]
    assert (among[lacking] == 6).all()
    return evaluation.corpus.ranking.rank.tolist()


def test_ranks_follow_the_scores_and_ties_share_them(corpus: dict[str, Path]) -> None:
    ranks = found(corpus, {
        "q00": (["c05", "c00", "c06"], [3e8, 2e8, 1e8]),
        "q01": (["c05", "c01", "c06"], [0.5, 0.5, 0.5]),
        "q02": (["c05", "nope"], [1.0, 2.0]),
    })  # fmt: skip
    assert ranks[:4] == [2.0, 2.0, 20.0, 20.0]
    assert set(ranks[4:]) == {20.0}


def test_below_is_seen_in_float32() -> None:
    for lowest in (0.0, 1e38, -1e38, 123.456):
        steps = [np.float32(lowest), *(np.float32(below(np.float32([lowest]), k)) for k in (1, 2))]
        assert steps[0] > steps[1] > steps[2]
        assert np.isfinite(steps).all()
