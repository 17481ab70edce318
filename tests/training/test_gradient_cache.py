"""Gradients through groups of texts, with graphs that are kept or built again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

import stage2
from stage2.encoding.ranking_lists import RankingLists
from stage2.encoding.vectors import Vectors
from stage2.training.gradient_cache import Groups
from tests.training.gradients import SETTINGS, expect_same, gradients, obvious


@pytest.mark.parametrize("loss", ["margin", "infonce"])
@pytest.mark.parametrize("tokens", [1, 60, 10**6])
def test_gradient_caching(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists, tokens: int, loss: Any
) -> None:
    """Groups of one text, of some texts and of all texts give the gradient of a single graph."""
    settings = replace(SETTINGS, loss=loss)
    value, found = gradients(model.eval(), lists, replace(settings, micro_batch=tokens))
    expected, whole = obvious(model, lists, settings)
    assert value == pytest.approx(expected, abs=1e-6)
    expect_same(found, whole)


def test_gradient_caching_repeats_its_dropout(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists
) -> None:
    """The vectors for the loss and those for the gradient are the same."""
    settings = replace(SETTINGS, micro_batch=60)
    model.train()
    value, found = gradients(model, lists, settings)
    again, same = gradients(model, lists, settings)
    assert value == again
    expect_same(found, same, within=0)
    # In one group the kept graph and the one built again draw from the same seed.
    kept, once = gradients(model, lists)
    computed_again, twice = gradients(model, lists, replace(SETTINGS, micro_batch=10**6))
    assert computed_again == pytest.approx(kept, abs=1e-6)
    expect_same(twice, once)
    without, plain = gradients(model.eval(), lists, settings)
    assert value != without
    assert any(not torch.allclose(found[name], plain[name], atol=1e-5) for name in plain)


def test_checkpointing_keeps_no_graph_and_gives_the_same_gradient(
    model: stage2.ProbabilisticGBERTV4,
    lists: RankingLists,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_graph: list[bool] = []
    embed = Groups.embed

    def watched(groups: Groups) -> list[Vectors[torch.Tensor]]:
        found = embed(groups)
        with_graph.append(any(vectors.mu.requires_grad for vectors in found))
        return found

    monkeypatch.setattr(Groups, "embed", watched)
    model.train()
    value, kept = gradients(model, lists)
    again, found = gradients(model, lists, replace(SETTINGS, gradient_checkpointing=True))
    assert with_graph == [True, False]
    assert again == pytest.approx(value, abs=1e-6)
    expect_same(found, kept)


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
