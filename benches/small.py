"""Models with random weights and the tokenizer of all-MiniLM-L6-v2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers

from stage2.encoding.encoder import Encoder
from stage2.models.auto import load_model
from stage2.models.gbert.model import ProbabilisticGBERTV4
from stage2.models.hub import default_backbone, load_backbone


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


def small_qwen3(folder: Path) -> Encoder:
    """Make a decoder whose last token is the vector, saved by sentence-transformers."""
    config = transformers.Qwen3Config(
        hidden_size=256, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
        head_dim=64, intermediate_size=1024, vocab_size=len(_tokenizer()),
    )  # fmt: skip
    torch.manual_seed(0)
    return _sentence_encoder(transformers.Qwen3Model(config), "lasttoken", folder / "qwen3")


def small_modernbert(folder: Path) -> Encoder:
    """Make an encoder with rotary positions and local attention, saved by sentence-transformers."""
    config = transformers.ModernBertConfig(
        hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=512,
        vocab_size=len(_tokenizer()), pad_token_id=0, cls_token_id=101, sep_token_id=102,
        bos_token_id=101, eos_token_id=102,
    )  # fmt: skip
    torch.manual_seed(0)
    return _sentence_encoder(transformers.ModernBertModel(config), "mean", folder / "modernbert")


def _tokenizer() -> Any:
    return load_backbone(default_backbone())[1]


def _sentence_encoder(backbone: Any, pooling: str, folder: Path) -> Encoder:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    tokenizer = _tokenizer()
    parts = folder / "parts"
    backbone.save_pretrained(parts)
    tokenizer.save_pretrained(parts)
    modules = [
        Transformer(str(parts), max_seq_length=256),
        Pooling(backbone.config.hidden_size, pooling),
        Normalize(),
    ]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder / "model"))
    return load_model(folder / "model")


def small_model() -> ProbabilisticGBERTV4:
    """Make a model that embeds a hundred thousand texts in about a minute."""
    return random_model(layers=1, width=64, heads=2, max_length=32)
