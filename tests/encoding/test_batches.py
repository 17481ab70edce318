"""The encoding of batches restores the model, even after an error."""

from __future__ import annotations

import numpy as np

import stage2
from stage2.encoding.encode import encode_tokens
from stage2.encoding.tokens import tokenize
from tests.small import TEXTS


def test_encoding_leaves_the_mode_as_it_was(model: stage2.ProbabilisticGBERTV4) -> None:
    model.train()
    tokens = tokenize(model, TEXTS[:2], [[], []])
    first, second = (encode_tokens(model, tokens).mu for _ in range(2))
    assert np.array_equal(first, second), "dropout was on"
    assert model.training


def test_bf16_is_close(model: stage2.ProbabilisticGBERTV4) -> None:
    full, half = (model.encode(TEXTS, precision=precision).mu for precision in ("fp32", "bf16"))
    assert full.dtype == half.dtype == np.float32
    assert (full * half).sum(axis=1).min() > 0.99
    assert not np.array_equal(full, half)
