"""Attention of short texts uses plain products, and the model is restored."""

from __future__ import annotations

import numpy as np
import pytest

import stage2
from stage2.encoding.kernels.attention import PLAIN_ATTENTION, plain_attention
from tests.small import TEXTS


def kind(model: stage2.ProbabilisticGBERTV4) -> str:
    return str(model.backbone.config._attn_implementation)


def test_short_texts_are_attended_to_by_plain_products(
    model: stage2.ProbabilisticGBERTV4,
) -> None:
    assert kind(model) == "sdpa"
    with plain_attention(model):
        assert kind(model) == "eager"
    assert kind(model) == "sdpa"

    def fail() -> None:
        with plain_attention(model):
            raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        fail()
    assert kind(model) == "sdpa"


def test_long_texts_and_encoders_set_otherwise_are_left(
    model: stage2.ProbabilisticGBERTV4,
) -> None:
    model.max_length = PLAIN_ATTENTION + 1
    with plain_attention(model):
        assert kind(model) == "sdpa"
    model.max_length = PLAIN_ATTENTION
    model.backbone.set_attn_implementation("eager")
    with plain_attention(model):
        assert kind(model) == "eager"
    assert kind(model) == "eager"


def test_both_give_the_same_vectors(model: stage2.ProbabilisticGBERTV4) -> None:
    short = model.encode(TEXTS, precision="fp32").mu
    model.max_length = PLAIN_ATTENTION + 1
    np.testing.assert_allclose(model.encode(TEXTS, precision="fp32").mu, short, atol=1e-5)
