"""Models with random weights and the tokenizer of all-MiniLM-L6-v2."""

from __future__ import annotations

import torch
import transformers

from stage2.models.gbert.fit_heads import default_backbone
from stage2.models.gbert.model import ProbabilisticGBERTV4
from stage2.models.hub import load_backbone


def random_model(layers: int, width: int, heads: int, max_length: int) -> ProbabilisticGBERTV4:
    """Make a BERT of the given size with random weights from seed 0."""
    _, tokenizer = load_backbone(default_backbone())
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
    )
    torch.manual_seed(0)
    backbone = transformers.BertModel(config)
    return ProbabilisticGBERTV4(backbone, tokenizer, 64, max_length).eval()


def small_model() -> ProbabilisticGBERTV4:
    """Make a model that embeds a hundred thousand texts in about a minute."""
    return random_model(layers=1, width=64, heads=2, max_length=32)
