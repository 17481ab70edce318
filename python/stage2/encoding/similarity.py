"""The similarity of two texts: by their entities where both have one, else by their sentences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stage2.encoding.embeddings import Embeddings
from stage2.encoding.encoder import Pooled
from stage2.utils.arrays import Floats

# A similarity is written, ranked and compared at this precision. What torch's products leave to
# the number of threads is below it, and texts that are equal have equal vectors: no noise breaks
# a tie.
DECIMALS = 6


def similarity(queries: Embeddings, contexts: Embeddings) -> Floats:
    """Similarity of every query to every context.

    The mean over all pairs of an entity of one and an entity of the other of the cosine of their
    vectors, which is the inner product of the means of their unit vectors; where a side has no
    entity, the cosine of the two sentence μ.

    Args:
        queries: n_q texts.
        contexts: n_c texts, of the same model.

    Returns:
        float32 (n_q, n_c).
    """
    by_entity = queries.has_entity[:, None] & contexts.has_entity[None, :]
    scores = queries.mu.astype(np.float64) @ contexts.mu.T.astype(np.float64)
    if by_entity.any():
        entity = queries.entity.astype(np.float64) @ contexts.entity.T.astype(np.float64)
        scores = np.where(by_entity, entity, scores)
    return at_precision(scores)


def at_precision(scores: npt.NDArray[np.float64]) -> Floats:
    """Round scores to what is written and compared, as float32 of the same shape."""
    return np.round(scores, DECIMALS).astype(np.float32)


@dataclass(frozen=True)
class Vectors:
    """The vectors of n texts, as similarity needs them. A loss has a gradient in two of them.

    Attributes:
        mu: float32 (n, d).
        entity: float32 (n, d).
        has_entity: bool (n,).
    """

    mu: Tensor
    entity: Tensor
    has_entity: Tensor


def pair_similarity(vectors: Vectors | Pooled, left: Tensor, right: Tensor) -> Tensor:
    """Similarity of pairs of texts, as evaluation computes it.

    Args:
        vectors: n texts.
        left: int64, rows of `vectors`; broadcast against `right`.
        right: int64.

    Returns:
        float32 of the broadcast shape.
    """
    by_entity = vectors.has_entity[left] & vectors.has_entity[right]
    entity = (vectors.entity[left] * vectors.entity[right]).sum(dim=-1)
    sentence = (vectors.mu[left] * vectors.mu[right]).sum(dim=-1)
    return torch.where(by_entity, entity, sentence)


def cross_similarity(vectors: Vectors, left: Tensor) -> Tensor:
    """Similarity of texts to every text: int64 (B,), rows of `vectors`, to float32 (B, n)."""
    by_entity = vectors.has_entity[left][:, None] & vectors.has_entity
    entity = vectors.entity[left] @ vectors.entity.T
    sentence = vectors.mu[left] @ vectors.mu.T
    return torch.where(by_entity, entity, sentence)
