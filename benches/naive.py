"""Evaluation and training as in a first script: one text a forward pass, padded to 128 tokens.

The model and the loss are those of stage2. In half precision it uses `torch.autocast`, as such
scripts do.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from stage2.encoding.batches import autocast
from stage2.models.gbert.model import ProbabilisticGBERTV4

LENGTH = 128


def embed(model: ProbabilisticGBERTV4, text: str) -> Tensor:
    """Return the sentence μ of one text, float (d,): the mean over its tokens without padding."""
    encoded = model.tokenizer(
        text, truncation=True, max_length=LENGTH, padding="max_length", return_tensors="pt"
    ).to(model.device)
    hidden = model.backbone(
        input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"]
    ).last_hidden_state
    vectors = model.semantic_head(hidden)[0].float()
    mask = encoded["attention_mask"][0].unsqueeze(-1)
    return F.normalize((vectors * mask).sum(dim=0) / mask.sum(), dim=-1)


def cosine(left: Tensor, right: Tensor) -> Tensor:
    """Return the cosine of two unit vectors, float (d,), as a scalar.

    This is no matrix product, which half precision would round to hundredths.
    """
    return (left * right).sum()


def evaluate(
    model: ProbabilisticGBERTV4,
    samples: Sequence[Sequence[str]],
    dtype: torch.dtype = torch.float32,
) -> list[list[float]]:
    """Return the cosines between the first text of each sample, the question, and its contexts."""
    model.eval()
    found = []
    with torch.no_grad(), autocast(model.device, dtype):
        for question, *contexts in samples:
            asked = embed(model, question)
            found.append([float(cosine(asked, embed(model, context))) for context in contexts])
    return found


def train(
    model: ProbabilisticGBERTV4,
    samples: Sequence[Sequence[str]],
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    margin: float,
    dtype: torch.dtype = torch.float32,
) -> list[float]:
    """Train with the margin loss over all pairs, and return the mean loss of each epoch."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=weight_decay)
    losses = []
    for _ in range(epochs):
        model.train()
        total = 0.0
        for start in range(0, len(samples), batch_size):
            batch = samples[start : start + batch_size]
            loss = torch.zeros((), device=model.device)
            with autocast(model.device, dtype):
                for question, *contexts in batch:
                    asked = embed(model, question)
                    scores = [cosine(asked, embed(model, context)) for context in contexts]
                    pairs = [
                        F.relu(margin - (scores[i] - scores[j]))
                        for i in range(len(scores))
                        for j in range(i + 1, len(scores))
                    ]
                    loss = loss + torch.stack(pairs).mean() / len(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        losses.append(total / len(samples))
    return losses
