"""The evaluation that commands show is that of the library."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import stage2
from stage2.cli.shown_evaluation import evaluate_shown
from stage2.config import Settings
from stage2.data.dataset import Dataset
from stage2.encoding.ranking_lists import ranking_lists
from stage2.evaluation.evaluate import evaluate


def test_bars_change_nothing(model: stage2.ProbabilisticGBERTV4, corpus: dict[str, Path]) -> None:
    samples = Dataset.load(corpus["qa"], corpus["chunks"]).construct(3, 0)
    lists = ranking_lists(model, samples, None, corpus=True)
    shown = evaluate_shown("title", model, lists, Settings(precision="fp32"))
    plain = evaluate(model, lists, "fp32")
    assert shown.corpus is not None
    assert plain.corpus is not None
    assert np.array_equal(shown.corpus.ranking.rank, plain.corpus.ranking.rank)
