"""The common base of encoders over a transformer."""

from __future__ import annotations

import torch

from stage2 import ProbabilisticGBERTV4
from stage2.encoding.kernels import unpadded
from stage2.encoding.tokens import collate, tokenize
from stage2.models.transformer_encoder import add_up, without_checkpointing
from tests.small import TEXTS


def test_states_with_and_without_padding_are_the_same(model: ProbabilisticGBERTV4) -> None:
    tokens = tokenize(model, TEXTS, [()] * len(TEXTS))
    batch = collate(model, tokens, torch.arange(len(TEXTS)).numpy())
    padded, layout = model.token_states(batch)
    assert layout is None
    with unpadded.end_to_end(model):
        found, layout = model.token_states(batch)
    assert layout is not None
    torch.testing.assert_close(layout.pad(found)[layout.inside], padded[layout.inside])


def test_sums_by_row() -> None:
    values = torch.tensor([[1.0, 2], [3, 4], [5, 6]])
    found = add_up(values, torch.tensor([2, 0, 2]), torch.empty(3, 2))
    assert found.tolist() == [[3, 4], [0, 0], [6, 8]]


def test_activations_are_kept(model: ProbabilisticGBERTV4) -> None:
    # The method that sets it has other names in other versions of transformers.
    model.backbone.encoder.gradient_checkpointing = True
    without_checkpointing(model.backbone)
    assert not any(getattr(part, "gradient_checkpointing", False) for part in model.modules())
