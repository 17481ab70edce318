"""The mean over the layers of a transformer, padded and not, beside the obvious computation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stage2.encoding.encode import encode
from stage2.encoding.kernels import unpadded
from stage2.encoding.tokens import collate, tokenize
from stage2.models.auto import load_model
from stage2.models.sentence_transformers.layers import LayerMean
from stage2.models.sentence_transformers.model import SentenceEncoder
from tests.sentence_models import KINDS, write_model
from tests.small import TEXTS


@pytest.fixture
def model(tmp_path: Path) -> SentenceEncoder:
    model = load_model(write_model(KINDS["mean over layers"], tmp_path))
    assert isinstance(model, SentenceEncoder)
    with torch.no_grad():
        model.backbone.mean.layer_weights.copy_(torch.tensor([1.0, 3.0]))
    return model


def test_the_mean_is_weighted(model: SentenceEncoder) -> None:
    assert type(model.backbone) is LayerMean
    batch = collate(model, tokenize(model, TEXTS, [()] * len(TEXTS)), np.arange(len(TEXTS)))
    layers = model.backbone.model(
        input_ids=batch.input_ids, attention_mask=batch.attention_mask, output_hidden_states=True
    ).hidden_states
    mask = batch.attention_mask.bool()
    found = model.hidden(batch.input_ids, batch.attention_mask)
    torch.testing.assert_close(found[mask], ((layers[1] + 3 * layers[2]) / 4)[mask])


def test_half_precision_is_near(model: SentenceEncoder) -> None:
    half, right = (encode(model, TEXTS, precision=name).mu for name in ("bf16", "fp32"))
    assert 0 < np.abs(half - right).max() < 0.1


def gradients(model: SentenceEncoder) -> dict[str, Tensor]:
    batch = collate(model, tokenize(model, TEXTS, [()] * len(TEXTS)), np.arange(len(TEXTS)))
    model.zero_grad()
    (model(batch).mu[:, 0].square().sum()).backward()
    return {name: w.grad.clone() for name, w in model.named_parameters() if w.grad is not None}


def test_it_is_trained_without_padding_too(model: SentenceEncoder) -> None:
    assert unpadded.possible(model, torch.float32)
    right = gradients(model)
    with unpadded.end_to_end(model):
        ours = gradients(model)
    assert "backbone.mean.layer_weights" in ours
    assert ours.keys() == right.keys()
    for name, gradient in right.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-3, atol=1e-5, msg=name)


def test_without_the_states_of_all_layers_the_last_counts(tmp_path: Path) -> None:
    folder = write_model(KINDS["mean over layers that are not given"], tmp_path)
    model = load_model(folder)
    assert type(model.backbone) is not LayerMean
    plain = load_model(write_model(KINDS["layer norm"], tmp_path / "plain"))
    assert model.backbone.state_dict().keys() == plain.backbone.state_dict().keys()
    assert np.isfinite(encode(model, TEXTS).mu).all()
