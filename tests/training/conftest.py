"""Fixtures for tests of training."""

from __future__ import annotations

from pathlib import Path

import pytest

import stage2
from stage2.encoding.ranking_lists import RankingLists, ranking_lists


@pytest.fixture
def lists(model: stage2.ProbabilisticGBERTV4, corpus: dict[str, Path]) -> RankingLists:
    dataset = stage2.Dataset.load(**corpus)
    return ranking_lists(model, dataset.construct(5, 0), dataset.annotations)
