"""However a batch is divided, its gradient is that of the whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import stage2
from stage2.config import Settings
from stage2.encoding.encode import encode_tokens
from stage2.encoding.ranking_lists import RankingLists, ranking_lists
from stage2.encoding.tokens import batches_by_tokens
from stage2.training.step import accumulate_gradients, batch_loss, share_of_tokens
from tests.small import write_jsonl

SETTINGS = Settings(precision="fp32", pairs="all")
ALL = np.arange(12)


@pytest.fixture
def lists(model: stage2.ProbabilisticGBERTV4, corpus: dict[str, Path]) -> RankingLists:
    dataset = stage2.Dataset.load(**corpus)
    return ranking_lists(model, dataset.construct(5, 0), dataset.annotations)


def gradients(
    model: stage2.ProbabilisticGBERTV4,
    lists: RankingLists,
    settings: Settings = SETTINGS,
    parts: int = 1,
) -> tuple[float, dict[str, Tensor]]:
    """The batch's loss and the gradient of it, taken in parts."""
    model.zero_grad()
    torch.manual_seed(7)
    value = sum(
        accumulate_gradients(model, lists, rows, settings, len(ALL))
        for rows in np.array_split(ALL, parts)
    )
    found = {
        name: parameter.grad.clone()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }
    return value, found


def expect_same(ours: dict[str, Tensor], theirs: dict[str, Tensor], within: float = 1e-5) -> None:
    assert ours.keys() == theirs.keys()
    assert sum(tensor.abs().sum().item() for tensor in theirs.values()) > 0
    for name, tensor in theirs.items():
        assert torch.allclose(ours[name], tensor, rtol=0, atol=within), name


def obvious(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists, settings: Settings = SETTINGS
) -> tuple[float, dict[str, Tensor]]:
    """One graph over everything, walked once by autograd."""
    model.zero_grad()
    value = batch_loss(model, lists, ALL, settings)
    value.backward()
    grads = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return value.item(), grads


@pytest.mark.parametrize("loss", ["margin", "in-batch", "infonce", "triplet", "listnet"])
def test_a_step_has_the_gradient_of_the_mean_loss(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists, loss: Any
) -> None:
    settings = replace(SETTINGS, loss=loss)
    value, found = gradients(model.eval(), lists, settings)
    expected, whole = obvious(model, lists, settings)
    assert value == pytest.approx(expected, abs=1e-6)
    expect_same(found, whole)


@pytest.mark.parametrize("loss", ["margin", "infonce"])
@pytest.mark.parametrize("tokens", [1, 60, 10**6])
def test_gradient_caching(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists, tokens: int, loss: Any
) -> None:
    """Groups of one text, of some, and of all have the gradient of one graph."""
    settings = replace(SETTINGS, loss=loss)
    value, found = gradients(model.eval(), lists, replace(settings, micro_batch=tokens))
    expected, whole = obvious(model, lists, settings)
    assert value == pytest.approx(expected, abs=1e-6)
    expect_same(found, whole)


def test_gradient_caching_repeats_its_dropout(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists
) -> None:
    """What is embedded for the loss is what is embedded for the gradient."""
    settings = replace(SETTINGS, micro_batch=60)
    model.train()
    value, found = gradients(model, lists, settings)
    again, same = gradients(model, lists, settings)
    assert value == again
    expect_same(found, same, within=0)
    # In one group, where what is kept and what is computed again draw from one seed.
    kept, once = gradients(model, lists)
    computed_again, twice = gradients(model, lists, replace(SETTINGS, micro_batch=10**6))
    assert computed_again == pytest.approx(kept, abs=1e-6)
    expect_same(twice, once)
    without, plain = gradients(model.eval(), lists, settings)
    assert value != without
    assert any(not torch.allclose(found[name], plain[name], atol=1e-5) for name in plain)


@pytest.mark.parametrize("parts", [2, 5, 12])
def test_accumulation(model: stage2.ProbabilisticGBERTV4, lists: RankingLists, parts: int) -> None:
    value, found = gradients(model.eval(), lists, parts=parts)
    expected, whole = obvious(model, lists)
    assert value == pytest.approx(expected, abs=1e-6)
    expect_same(found, whole)


def test_a_step_leaves_the_generators_where_its_seeds_were_drawn(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists
) -> None:
    """Dropout has seeds of its own: how much of it is drawn must not move what follows."""
    followed = []
    for training in (True, False):
        gradients(model.train(training), lists)
        followed.append(torch.rand(3))
    assert torch.equal(*followed)


@pytest.mark.parametrize("cards", [1, 2, 3, 8])
def test_every_card_has_a_group_of_a_step(cards: int) -> None:
    lengths = np.random.default_rng(0).integers(5, 128, 56)
    budget = share_of_tokens(lengths, 32_768, cards)
    groups = [lengths[rows] for rows in batches_by_tokens(lengths, budget)]
    assert len(groups) >= cards
    assert max(len(group) * group.max() for group in groups) <= 2 * lengths.sum() / cards
    assert share_of_tokens(lengths, 64, cards) == 64


def test_in_batch_negatives_are_the_other_questions_ground_truths(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists
) -> None:
    """The cross-entropy, written out, of each question among the batch's distinct chunks."""
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
    # Training leaves out texts that do not count; they did not count before.
    shorter, same = gradients(model, lists.without_negatives(), settings)
    assert shorter == pytest.approx(value, rel=1e-5)
    expect_same(same, found)


def test_in_half_precision_gradients_arrive_at_the_weights_in_float32(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists
) -> None:
    _, exact = gradients(model.eval(), lists)
    _, rounded = gradients(model, lists, replace(SETTINGS, precision="bf16"))
    assert rounded.keys() == exact.keys()
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert {gradient.dtype for gradient in rounded.values()} == {torch.float32}
    together = (torch.cat([part.flatten() for part in side.values()]) for side in (exact, rounded))
    assert torch.cosine_similarity(*together, dim=0) > 0.99
    assert any(not torch.equal(rounded[name], exact[name]) for name in exact)


def in_batch_loss(
    model: stage2.ProbabilisticGBERTV4, folder: Path, qa: list[dict[str, Any]], rows: list[int]
) -> float:
    """Of the given questions over five chunks, the last of which is a copy of the first."""
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
