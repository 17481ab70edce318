"""Tiny teachers, and small data with their scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers

from stage2.utils import files
from tests.conftest import read_jsonl
from tests.small import WORDS, write_jsonl


def make_judge(backbone: Path, folder: Path) -> Path:
    """Write a cross-encoder with random weights whose logits differ by ones, not by thousandths."""
    config = transformers.AutoConfig.from_pretrained(backbone, num_labels=1)
    torch.manual_seed(1)
    model = transformers.BertForSequenceClassification(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.mul_(8 if name.startswith("bert.encoder") or "classifier" in name else 4)
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(backbone).save_pretrained(folder)
    return folder


def write_mined(path: Path, scores: bool = False) -> Path:
    """Write 8 questions with a ground truth and 3 negatives each, as FlagEmbedding has them."""
    size = len(WORDS)

    def text(start: int, count: int) -> str:
        return " ".join(WORDS[(start + step * 3) % size] for step in range(count))

    rows: list[dict[str, Any]] = [
        {
            "query": text(5 * i, 5),
            "pos": [text(7 * i, 8)],
            "neg": [text(7 * i + shift, 9) for shift in (1, 2, 4)],
        }
        for i in range(8)
    ]
    if scores:
        for i, row in enumerate(rows):
            row |= {"pos_scores": [0.1 * i], "neg_scores": [0.5, -0.25, 1.5 - i]}
    return write_jsonl(path, rows)


def with_scores_of(run: Path, data: Path, path: Path) -> Path:
    """Write data of FlagEmbedding again, with the scores that a run's teacher gave."""
    told = read_jsonl(run / files.TEACHER_SCORES)
    rows = []
    # The ids of questions are hashes of their texts, in the order of the data here.
    for row, scores in zip(read_jsonl(data), told, strict=True):
        first, *others = scores["scores"]
        rows.append({**row, "pos_scores": [first], "neg_scores": others})
    return write_jsonl(path, rows)


# A query and a document, as a reranker's own template puts them before the model.
TEMPLATE = (
    "{% for message in messages if message.role == 'query' %}[CLS] {{ message.content }} "
    "{% endfor %}{% for message in messages if message.role == 'document' %}[SEP] "
    "{{ message.content }} [SEP]{% endfor %}"
)


def make_chat_reranker(backbone: Path, folder: Path, template: str | None = TEMPLATE) -> Path:
    """Write a tiny language model with random weights, its template, and tokens for yes and no."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(backbone, model_max_length=64)
    tokenizer.add_tokens(["yes", "no"])
    tokenizer.chat_template = template
    config = transformers.Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=16, max_position_embeddings=64,
        tie_word_embeddings=True, initializer_range=0.5,
    )  # fmt: skip
    torch.manual_seed(2)
    transformers.Qwen3ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
