"""Each baseline has a setting that asks for it, and words in every language of the report."""

from __future__ import annotations

from pathlib import Path

import pytest

import stage2
from stage2.config import SETTINGS, default
from stage2.encoding.encode import encode
from stage2.evaluation.baselines import BASELINES, Backbone, rank_by_backbone
from stage2.report.words import CATALOGS
from tests.rankings import of_texts
from tests.small import WORDS

LISTS = of_texts(["where is b", "and c"], ["the a", "the b", "the c"], [[1], [2]])


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_can_be_asked_for_and_is_explained(name: str) -> None:
    assert SETTINGS[name].metadata["kind"] is bool
    assert default(name) is True
    for catalog in CATALOGS.values():
        assert catalog[f"baseline_{name}"]
        assert catalog[f"plain_training_{name}"]
        assert catalog[f"note_{name}"]


def test_bm25_is_no_model() -> None:
    found = BASELINES["bm25"].rank(LISTS, None, None)
    assert found.ranked.ranking.rank.tolist() == [1, 1]
    assert found.model is None


def test_the_backbone_ranks_by_its_own_vectors_of_whole_texts(backbone: Path) -> None:
    """The lists are made for another model, and are tokenised anew."""
    model = stage2.load_model(backbone)
    questions, chunks = [" ".join(WORDS[:4]), WORDS[7]], [WORDS[i] for i in range(9)]
    lists = of_texts(questions, chunks, [[1], [7]])
    found = rank_by_backbone(lists, Backbone("tiny", model, "fp32"))
    vectors = encode(model, questions, role="query", precision="fp32")
    scores = stage2.similarity(vectors, encode(model, chunks, precision="fp32")).round(6)
    above = [int((row > row[own]).sum()) for row, own in zip(scores, (1, 7), strict=True)]
    assert found.ranked.ranking.rank.tolist() == [1 + count for count in above]
    assert found.ranked.by_entity.sum() == 0
    assert (found.model, found.embedding_dim) == ("tiny", 32)


def test_without_a_backbone_there_is_nothing_to_rank_by() -> None:
    with pytest.raises(ValueError, match="no backbone"):
        rank_by_backbone(LISTS, None)
