"""Negatives in the order of a run are those of vectors with the same scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stage2 import Dataset
from stage2.config import Settings
from stage2.encoding.vectors import without_entities
from stage2.evaluation.run_ranks import RunScores
from stage2.mining.corpus import mine_corpus
from stage2.mining.run_negatives import mine_run


@pytest.mark.parametrize("rules", [{}, {"absolute_margin": 0.1}, {"range_min": 2, "range_max": 6}])
def test_a_whole_run_mines_as_its_vectors_do(
    corpus: dict[str, Path], rules: dict[str, float]
) -> None:
    dataset = Dataset.load(corpus["qa"], corpus["chunks"])
    # Halves are sums of float32 without rounding.
    draw = np.random.default_rng(0).integers(-3, 4, (32, 4)).astype(np.float32) / 2
    questions, chunks = draw[:12], draw[12:]
    settings = Settings(source="corpus", negatives=3, **rules)
    scores = questions @ chunks.T
    run = RunScores([np.arange(20)[::-1]] * 12, [row[::-1] for row in scores])
    ours = mine_run(run, dataset, settings)
    theirs = mine_corpus(without_entities(questions), without_entities(chunks), dataset, settings)
    assert np.array_equal(ours.samples.candidates, theirs.samples.candidates)
    assert np.array_equal(ours.samples.offsets, theirs.samples.offsets)
    assert np.array_equal(
        ours.ranks[np.isfinite(theirs.ranks)], theirs.ranks[np.isfinite(theirs.ranks)]
    )


def test_what_a_run_lacks_is_no_negative(corpus: dict[str, Path]) -> None:
    dataset = Dataset.load(corpus["qa"], corpus["chunks"])
    empty = np.empty(0)
    found = [np.asarray([5, 7]), *[empty.astype(np.int64)] * 11]
    scores = [np.asarray([2, 1], np.float32), *[empty.astype(np.float32)] * 11]
    settings = Settings(source="corpus", negatives=3)
    mined = mine_run(RunScores(found, scores), dataset, settings)
    assert mined.counts.tolist() == [2, *[0] * 11]
    assert np.isinf(mined.ranks).all()
    with_margin = replace(settings, absolute_margin=0.0)
    assert not mine_run(RunScores(found, scores), dataset, with_margin).counts.any()
