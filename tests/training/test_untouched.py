"""Training computes what it needs of the model before it, and nothing else."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from stage2 import ProbabilisticGBERTV4
from stage2.config import Settings
from stage2.encoding.encode import encode_tokens
from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.ranking import score
from stage2.training.untouched import Untouched, untouched_of


def test_a_loss_without_a_teacher_needs_nothing(lists: RankingLists) -> None:
    # It is one encoder for all texts, and embeds nothing.
    model = SimpleNamespace(parts={}, state_dict=dict)
    assert untouched_of(model, lists, lists, Settings()) == Untouched()  # type: ignore[arg-type]


@pytest.mark.parametrize("loss", ["margin-mse", "distill-kl"])
def test_a_teacher_scores_as_the_model_does(
    model: ProbabilisticGBERTV4, lists: RankingLists, loss: str
) -> None:
    found = untouched_of(model, lists, lists, Settings(loss=loss, precision="fp32"))
    right = score(lists, encode_tokens(model, lists.tokens, precision="fp32")).scores
    assert found.teacher.scores is not None
    assert np.array_equal(found.teacher.scores, right)
    assert (found.guide, found.documents, found.dev_documents) == (None, None, None)
