"""Each baseline has a setting that asks for it, and words in every language of the report."""

from __future__ import annotations

import pytest

from stage2.config import SETTINGS, default
from stage2.evaluation.baselines import BASELINES
from stage2.report.words import CATALOGS
from tests.rankings import of_texts


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_can_be_asked_for_and_is_explained(name: str) -> None:
    assert SETTINGS[name].metadata["kind"] is bool
    assert default(name) is True
    for catalog in CATALOGS.values():
        assert catalog[f"baseline_{name}"]
        assert catalog[f"note_{name}"]


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_ranks_the_corpus(name: str) -> None:
    lists = of_texts(["where is b", "and c"], ["the a", "the b", "the c"], [[1], [2]])
    assert BASELINES[name](lists, None).ranking.rank.tolist() == [1, 1]
