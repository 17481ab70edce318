"""Synthetic vectors in a cache."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from stage2.encoding import cache
from stage2.encoding.cache import EmbeddingCache, keys_of, record_type
from stage2.encoding.embeddings import Embeddings

WIDTH = 8


RECORD = record_type(WIDTH).itemsize


def opened(folder: Path, weights: str = "w") -> EmbeddingCache:
    about = {"model": "a model", "precision": "fp32"}
    return EmbeddingCache(folder, WIDTH, {"weights": weights}, about)


def some(count: int, seed: int = 0) -> Embeddings:
    random = np.random.default_rng(seed)
    entities = random.integers(0, 3, count)
    return Embeddings(
        mu=random.standard_normal((count, WIDTH), np.float32),
        kappa=random.random(count, np.float32),
        entity=random.standard_normal((count, WIDTH), np.float32),
        has_entity=entities > 0,
        entity_count=entities,
    )


def keys(*texts: str) -> cache.Keys:
    return keys_of(texts, [()] * len(texts), ["document"] * len(texts))


def same(left: Embeddings, right: Embeddings) -> bool:
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in vars(left))


def age(path: Path, days: float) -> None:
    then = time.time() - days * 86_400
    os.utime(path, (then, then))
