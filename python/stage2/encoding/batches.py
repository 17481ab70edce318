"""The embedding of batches of tokenised texts, in one process."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch.func import functional_call

from stage2.encoding.embeddings import Embeddings
from stage2.encoding.encoder import Encoder, Pooled
from stage2.encoding.kernels.attention import plain_attention
from stage2.encoding.kernels.packed_linear import compiled, packed
from stage2.encoding.tokens import Batch, TokenizedTexts, collate
from stage2.utils.arrays import Ints
from stage2.utils.device import resolve_precision
from stage2.utils.progress import Progress

# So many texts are tokenised, sorted by length and embedded at a time. They are enough for batches
# of similar length, and so few that memory does not grow with the corpus.
WINDOW = 16_384


def encode_batches(
    model: Encoder,
    tokens: TokenizedTexts,
    batches: Sequence[Ints],
    precision: str,
    progress: Progress | None = None,
) -> Embeddings:
    """Embed texts in the given batches, which contain each row of `tokens` once."""
    n, lengths = len(tokens), tokens.lengths
    out = Embeddings.empty(n, model.embedding_dim, distance=model.distance)
    out.entity_count[:] = np.fromiter(map(len, tokens.entity_tokens), np.int64, n)
    done = done_tokens = 0
    waiting: list[tuple[Ints, Pooled]] = []
    # To fetch vectors is to wait for their batch, and meanwhile a GPU would have no new work.
    most = WINDOW if model.device.type == "cuda" else 0
    with inference(model, resolve_precision(precision, model.device)) as working:
        for rows in batches:
            waiting.append((rows, working(collate(working, tokens, rows))))
            if sum(len(held) for held, _ in waiting) > most:
                _fetch(out, waiting)
            done += len(rows)
            done_tokens += int(lengths[rows].sum())
            if progress is not None:
                progress(done, n, done_tokens)
        _fetch(out, waiting)
    return out


def _fetch(out: Embeddings, waiting: list[tuple[Ints, Pooled]]) -> None:
    """Copy the waiting vectors from the device to `out`, and release them there."""
    for rows, pooled in waiting:
        out.mu[rows] = pooled.mu.cpu().numpy()
        out.kappa[rows] = pooled.kappa.cpu().numpy()
        out.entity[rows] = pooled.entity.cpu().numpy()
        out.has_entity[rows] = pooled.has_entity.cpu().numpy()
    waiting.clear()


@contextmanager
def inference(model: Encoder, dtype: torch.dtype) -> Iterator[Encoder]:
    """Yield the model in the form that embeds fastest: no dropout, no gradients, in `dtype`.

    On a CPU the weights are packed, unless torch compiles the encoder. Inside the context no other
    thread can use the model. After it the model is as before.

    Raises:
        RunFailedError: another thread trains the model.
    """
    with model.guard.embedding():
        # This is computed and cached now, because half precision is too coarse for it.
        _ = model.first_padded_position
        working = in_precision(model, dtype)
        was_training = model.training
        working.eval()
        try:
            quick = compiled if model.compiled else packed
            with torch.inference_mode(), quick(working), plain_attention(working):
                yield working
        finally:
            model.train(was_training)


def in_precision(model: Encoder, dtype: torch.dtype) -> Encoder:
    """Return the model itself for float32, else a copy with weights of `dtype`.

    `torch.autocast` would also keep each weight twice, and would cast the activations before and
    after each operation that it leaves in float32. Pooling is in float32 either way.
    """
    if dtype == torch.float32:
        return model
    shared = {id(one.tokenizer): one.tokenizer for one in (model, *model.encoders)}
    return copy.deepcopy(model, shared).to(dtype)


def with_weights_of(model: Encoder, dtype: torch.dtype) -> Callable[[Batch], Pooled]:
    """Return the model's forward pass with its weights cast to `dtype`.

    Gradients reach the model's own weights, which stay in float32. The weights are cast once for
    all groups, and with gradient caching again for each group. `torch.autocast` would also cast
    the activations of every product, and keep them in float32 between products. On a CPU this took
    a quarter of a step's time.
    """
    if dtype == torch.float32:
        return model
    weights = {name: weight.to(dtype) for name, weight in model.named_parameters()}
    return lambda batch: functional_call(model, weights, (batch,))


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """Return a context with matrix products in `dtype`."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype)
