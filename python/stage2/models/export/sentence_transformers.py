"""A model as a folder that sentence-transformers reads without stage2.

The sentence vector of a ProbabilisticGBERTV4 is the mean of its semantic head over the tokens,
scaled to unit length. So the modules are Transformer, Dense on token embeddings, Dense, Pooling and
Normalize. The format has no place for entities and concentrations. Any other model is written in
the layout in which it was read.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from stage2.encoding.encoder import Encoder
from stage2.encoding.tokens import TOKENIZING
from stage2.models import hub
from stage2.models.fidelity import Read
from stage2.models.gbert.model import ProbabilisticGBERTV4
from stage2.models.sentence_transformers import layout
from stage2.models.sentence_transformers.layout import reader_of
from stage2.models.sentence_transformers.model import SentenceEncoder
from stage2.utils.errors import BadInputError

if TYPE_CHECKING:
    from sentence_transformers.sentence_transformer.modules import Dense


def write(model: Encoder, folder: Path) -> Read:
    """Write the folder, and return a function that embeds with it as sentence-transformers does.

    Raises:
        BadInputError: the model names no modules, because it is a plain Hugging Face encoder.
    """
    if isinstance(model, ProbabilisticGBERTV4):
        _write_modules(model, folder)
    else:
        model.save(folder)
    if not (folder / "modules.json").exists():
        raise BadInputError(
            "a folder of a Hugging Face encoder is read by sentence-transformers as it is; there "
            "is nothing to export"
        )
    return reader_of(folder, model.similarity)


def write_folder(model: Encoder, folder: Path) -> None:
    """Write any model as a folder with `modules.json`, in float32.

    Raises:
        BadInputError: the model has an encoder for each role.
    """
    if model.parts:
        raise BadInputError(
            "the model has an encoder for each role, and this format has one; export each by "
            "itself: the folders of query and document beside the model"
        )
    if isinstance(model, ProbabilisticGBERTV4):
        _write_modules(model, folder)
        return
    assert isinstance(model, SentenceEncoder)
    assert model.source is not None
    source = replace(model.source, plain=False)
    layout.save(source, folder, model.prompts, model.max_lengths, torch.float32)


def _write_modules(model: ProbabilisticGBERTV4, folder: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import (
        Normalize,
        Pooling,
        Transformer,
    )

    first, activation, second = model.semantic_head
    with tempfile.TemporaryDirectory() as encoder, TOKENIZING, hub.quiet_transformers():
        model.tokenizer.backend_tokenizer.no_truncation()
        model.backbone.save_pretrained(encoder)
        model.tokenizer.save_pretrained(encoder)
        parts = [
            Transformer(encoder, max_seq_length=model.max_length),
            _dense(first, activation),
            _dense(second, nn.Identity()),
            Pooling(model.embedding_dim, "mean"),
            Normalize(),
        ]
        made = SentenceTransformer(modules=parts, similarity_fn_name="cosine", device="cpu")
        made.save(os.fspath(folder), create_model_card=False)


def _dense(layer: nn.Module, activation: nn.Module) -> Dense:
    """Convert a linear layer of the head to the library's module for the vectors of tokens."""
    from sentence_transformers.sentence_transformer.modules import Dense

    assert isinstance(layer, nn.Linear)
    assert layer.bias is not None
    return Dense(
        layer.in_features,
        layer.out_features,
        activation_function=activation,
        init_weight=layer.weight.detach().clone(),
        init_bias=layer.bias.detach().clone(),
        module_input_name="token_embeddings",
    )
