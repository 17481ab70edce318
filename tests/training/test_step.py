"""The gradient of a batch does not depend on how the batch is divided."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import stage2
from stage2.encoding.encode import encode_tokens
from stage2.encoding.ranking_lists import RankingLists, ranking_lists
from stage2.encoding.tokens import batches_by_tokens
from stage2.training.step import batch_loss, share_of_tokens
from tests.small import write_jsonl
from tests.training.gradients import SETTINGS, expect_same, gradients, obvious


@pytest.mark.parametrize("loss", ["margin", "in-batch", "infonce", "triplet", "listnet"])
def test_a_step_has_the_gradient_of_the_mean_loss(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists, loss: Any
) -> None:
    settings = replace(SETTINGS, loss=loss)
    value, found = gradients(model.eval(), lists, settings)
    expected, whole = obvious(model, lists, settings)
    assert value == pytest.approx(expected, abs=1e-6)
    expect_same(found, whole)


@pytest.mark.parametrize("parts", [2, 5, 12])
def test_accumulation(model: stage2.ProbabilisticGBERTV4, lists: RankingLists, parts: int) -> None:
    value, found = gradients(model.eval(), lists, parts=parts)
    expected, whole = obvious(model, lists)
    assert value == pytest.approx(expected, abs=1e-6)
    expect_same(found, whole)


def test_a_step_leaves_the_generators_where_its_seeds_were_drawn(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists
) -> None:
    """Dropout has its own seeds, so the amount drawn must not change later draws."""
    followed = []
    for training in (True, False):
        gradients(model.train(training), lists)
        followed.append(torch.rand(3))
    assert torch.equal(*followed)


@pytest.mark.parametrize("gpus", [1, 2, 3, 8])
def test_every_gpu_has_a_group_of_a_step(gpus: int) -> None:
    lengths = np.random.default_rng(0).integers(5, 128, 56)
    budget = share_of_tokens(lengths, 32_768, gpus)
    groups = [lengths[rows] for rows in batches_by_tokens(lengths, budget)]
    assert len(groups) >= gpus
    assert max(len(group) * group.max() for group in groups) <= 2 * lengths.sum() / gpus
    assert share_of_tokens(lengths, 64, gpus) == 64


def test_in_batch_negatives_are_the_other_questions_ground_truths(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists
) -> None:
    """Compute the cross-entropy of each question among the distinct chunks of the batch."""
    model.eval()
    embedded = encode_tokens(model, lists.tokens, precision="fp32")
    parts = np.split(lists.candidates, lists.offsets[1:-1])
    gold = [
        set(part[:count].tolist()) for part, count in zip(parts, lists.num_relevant, strict=True)
    ]
    among = sorted(set.union(*gold))
    scores = stage2.similarity(embedded.take(lists.questions), embedded.take(np.array(among)))
    losses = []
    for own, row in zip(gold, np.exp(scores.astype(np.float64) / 0.05), strict=True):
        others = sum(value for chunk, value in zip(among, row, strict=True) if chunk not in own)
        right = [value for chunk, value in zip(among, row, strict=True) if chunk in own]
        losses.append(np.mean([-np.log(value / (value + others)) for value in right]))
    settings = replace(SETTINGS, loss="in-batch")
    value, found = gradients(model, lists, settings)
    assert value == pytest.approx(np.mean(losses), rel=1e-4)
    # Training leaves these texts out, which had no influence before either.
    shorter, same = gradients(model, lists.without_negatives(), settings)
    assert shorter == pytest.approx(value, rel=1e-5)
    expect_same(same, found)


def in_batch_loss(
    model: stage2.ProbabilisticGBERTV4, folder: Path, qa: list[dict[str, Any]], rows: list[int]
) -> float:
    """Return the loss of the given questions over five chunks. The last is a copy of the first."""
    texts = ("treasure island", "old ship", "stone door", "night lantern", "Treasure  ISLAND")
    chunks = [{"chunk_id": name, "text": text} for name, text in zip("abcde", texts, strict=True)]
    dataset = stage2.Dataset.load(
        write_jsonl(folder / "qa.jsonl", qa), write_jsonl(folder / "chunks.jsonl", chunks)
    )
    lists = ranking_lists(model, dataset.construct(2, 0), None).without_negatives()
    settings = replace(SETTINGS, loss="in-batch")
    return batch_loss(model, lists, np.asarray(rows), settings).item()


def test_the_text_of_a_ground_truth_is_no_negative_however_typed(
    model: stage2.ProbabilisticGBERTV4, tmp_path: Path
) -> None:
    qa = [{"question": "where treasure", "chunk_id": "a"}, {"question": "what", "chunk_id": "e"},
          {"question": "who", "chunk_id": "b"}]  # fmt: skip
    assert in_batch_loss(model.eval(), tmp_path, qa, [0, 1]) == pytest.approx(0, abs=1e-6)
    assert in_batch_loss(model.eval(), tmp_path, qa, [0, 2]) > 1e-3


def test_a_question_in_two_rows_has_the_loss_of_one_row_with_both_chunks(
    model: stage2.ProbabilisticGBERTV4, tmp_path: Path
) -> None:
    two = [{"question": "where treasure", "chunk_id": "a"}, {"question": "who", "chunk_id": "b"},
           {"question": "Where  treasure", "chunk_id": "c"}]  # fmt: skip
    one = [{"question": "where treasure", "chunk_ids": ["a", "c"]}, two[1]]
    assert in_batch_loss(model.eval(), tmp_path, two, [0, 1]) == pytest.approx(
        in_batch_loss(model, tmp_path, one, [0, 1]), rel=1e-5
    )
    assert in_batch_loss(model, tmp_path, two, [0, 2]) == pytest.approx(0, abs=1e-6)
