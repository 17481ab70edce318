"""The projection that the semantic head is set to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import stage2
from stage2.models.gbert.fit_heads import Seen, distilled, fit_heads, principal, set_projection


def unit(count: int, width: int, seed: int) -> Tensor:
    return F.normalize(torch.randn(count, width, generator=torch.Generator().manual_seed(seed)))


def test_the_principal_directions_keep_cosines_best() -> None:
    """Texts in a space of three dimensions lose nothing by three."""
    flat = unit(30, 3, 0) @ torch.linalg.qr(torch.randn(8, 3)).Q.T
    texts = Seen(flat, flat)
    basis = principal(texts, texts, 3)
    torch.testing.assert_close((flat @ basis) @ (flat @ basis).T, flat @ flat.T)
    torch.testing.assert_close(basis.T @ basis, torch.eye(3))


def test_questions_and_chunks_count_alike_however_many_they_are() -> None:
    few, many = torch.eye(4)[:1], torch.eye(4)[1:2].repeat(50, 1)
    basis = principal(Seen(few, few), Seen(many, many), 2)
    torch.testing.assert_close(basis[2:], torch.zeros(2, 2))


def test_distillation_comes_nearer_to_the_backbones_ranking() -> None:
    """The directions of most variance say nothing here; those of the targets have little of it."""
    scale = torch.cat([torch.full((2,), 3.0), torch.ones(6)])
    sides = []
    for count, seed in ((300, 1), (40, 2)):
        drawn = torch.randn(count, 8, generator=torch.Generator().manual_seed(seed))
        means = F.normalize(drawn * scale, dim=-1)
        sides.append(Seen(means, F.normalize(means[:, 2:4], dim=-1)))
    start = principal(*sides, 2)
    found = distilled(start, *sides, np.random.default_rng(0))
    assert agreement(found, *sides) > 0.9 > agreement(start, *sides) + 0.5


def agreement(basis: Tensor, questions: Seen, chunks: Seen) -> float:
    """Return the share of questions whose nearest chunk is among the backbone's nearest three."""
    given = F.normalize(questions.means @ basis, dim=-1) @ F.normalize(chunks.means @ basis).T
    best = (questions.targets @ chunks.targets.T).topk(3, dim=1).indices
    return float((best == given.argmax(dim=1, keepdim=True)).any(dim=1).float().mean())


def test_the_head_computes_the_projection(model: stage2.ProbabilisticGBERTV4) -> None:
    basis, x = torch.randn(32, 5), torch.randn(7, 32)
    set_projection(model, basis)
    with torch.inference_mode():
        found = model.semantic_head(x)
    torch.testing.assert_close(found[:, :5], x @ basis)
    assert not found[:, 5:].any()


def test_texts_that_are_all_the_same_are_fitted_too() -> None:
    """Their similarities have no spread to divide by."""
    same = unit(1, 8, 0).repeat(4, 1)
    found = distilled(
        principal(Seen(same, same), Seen(same, same), 2), Seen(same, same), Seen(same, same),
        np.random.default_rng(0),
    )  # fmt: skip
    assert torch.isfinite(found).all()


def test_dimensions_that_a_head_cannot_fill_are_told(
    model: stage2.ProbabilisticGBERTV4, caplog: pytest.LogCaptureFixture
) -> None:
    texts = Seen(unit(9, 32, 0), unit(9, 4, 1))
    fit_heads(model, texts, texts, np.random.default_rng(0))
    beyond = min(model.embedding_dim, 32)
    told = f"a fitted head fills {beyond} dimensions" in caplog.text
    assert told == (model.embedding_dim > 32)
    with torch.inference_mode():
        assert not model.semantic_head(texts.means)[:, beyond:].any()
