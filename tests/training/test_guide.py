"""The untouched model says which of a batch's other ground truths may be answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stage2 import ProbabilisticGBERTV4
from stage2.config import Settings
from stage2.encoding.ranking_lists import RankingLists
from stage2.encoding.vectors import Vectors, without_entities
from stage2.training.guide import guide_of, not_negatives
from stage2.training.step import batch_loss, gather_questions, list_losses
from tests.conftest import Stage2, data_flags, read_jsonl

SETTINGS = Settings(loss="in-batch", precision="fp32", guide_margin=0.1)


@given(
    vectors=arrays(np.float32, (6, 3), elements=st.floats(-1, 1, width=16)),
    relevance=arrays(np.float32, (2, 6), elements=st.sampled_from([0.0, 1.0])),
    margin=st.sampled_from([0.0, 0.1, 0.5]),
)
def test_it_is_what_the_sentence_says(
    vectors: np.ndarray, relevance: np.ndarray, margin: float
) -> None:
    relevance[:, 0] = 1
    found = not_negatives(
        without_entities(vectors), np.array([4, 5]), np.arange(6), relevance, margin
    )
    for row, question in enumerate((4, 5)):
        exact = vectors.astype(np.float64)
        lowest = min(exact[question] @ exact[j] for j in range(6) if relevance[row, j] > 0)
        for text in range(6):
            high = exact[question] @ exact[text] > lowest - margin
            assert found[row, text] == (high and relevance[row, text] == 0)


def test_texts_that_it_scores_high_are_no_negatives(
    model: ProbabilisticGBERTV4, lists: RankingLists
) -> None:
    rows, lists = np.arange(4), lists.without_negatives()
    guide = guide_of(model, lists, SETTINGS)
    assert guide is not None
    questions = gather_questions(model, lists, rows, SETTINGS)
    mu = torch.from_numpy(guide.mu[questions.texts])
    vectors = Vectors(mu, mu, torch.zeros(len(mu), dtype=torch.bool))
    # Where no text may come near the ground truth, nothing is left to lose against.
    alone = list_losses(vectors, questions, replace(SETTINGS, guide_margin=2.0), None, guide)
    assert alone.tolist() == pytest.approx([0.0] * 4, abs=1e-6)
    # Where any may be above it, all are negatives, as without a guide.
    everything = list_losses(vectors, questions, replace(SETTINGS, guide_margin=-2.0), None, guide)
    without = list_losses(vectors, questions, replace(SETTINGS, guide_margin=None))
    torch.testing.assert_close(everything, without)
    assert (without > 0).all()


def test_without_a_margin_nothing_is_embedded(lists: RankingLists) -> None:
    assert guide_of(None, lists, Settings()) is None  # type: ignore[arg-type]


def test_from_the_command_line(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["run", *data_flags(corpus), "--model", model_dir, "--epochs", 1, "--folds", 0]
    stage2(*flags, "--output-dir", tmp_path / "plain")
    stage2(*flags, "--guide-margin", 0.05, "--output-dir", tmp_path / "guided")
    plain, guided = (
        read_jsonl(tmp_path / name / "training_log.jsonl")[1]["loss"]
        for name in ("plain", "guided")
    )
    # A question has fewer texts to win against.
    assert guided < plain
    refused = stage2(*flags, "--loss", "margin", "--guide-margin", 0.05, exit_code=2)
    assert "it works with --loss in-batch, infonce or similarity-mse" in refused.stderr


def test_the_loss_of_a_batch_needs_no_guide(
    model: ProbabilisticGBERTV4, lists: RankingLists
) -> None:
    settings = replace(SETTINGS, guide_margin=None)
    assert batch_loss(model, lists.without_negatives(), np.arange(4), settings) > 0
