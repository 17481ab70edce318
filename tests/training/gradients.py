"""Gradients of a batch, computed in parts and in the obvious way."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

import stage2
from stage2.config import Settings
from stage2.encoding.ranking_lists import RankingLists
from stage2.training.step import accumulate_gradients, batch_loss

SETTINGS = Settings(precision="fp32", pairs="all")
ALL = np.arange(12)


def gradients(
    model: stage2.ProbabilisticGBERTV4,
    lists: RankingLists,
    settings: Settings = SETTINGS,
    parts: int = 1,
) -> tuple[float, dict[str, Tensor]]:
    """Return the loss of a batch and its gradient, computed in parts."""
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
    """Return the loss and the gradient of a single graph over all texts."""
    model.zero_grad()
    value = batch_loss(model, lists, ALL, settings)
    value.backward()
    grads = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return value.item(), grads
