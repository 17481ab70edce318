"""Attention of short texts by plain matrix products, which a CPU does sooner than the fused one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stage2.encoding.encoder import Encoder

# Up to so many tokens a text's attention weights fit the cache: see `plain_attention`.
PLAIN_ATTENTION = 512


@contextmanager
def plain_attention(model: Encoder) -> Iterator[None]:
    """Have a CPU attend to short texts by plain matrix products.

    The fused kernel saves memory that they do not need. Embedding takes a tenth longer with it, and
    a step of training a quarter.
    """
    backbone = model.backbone
    plain = (
        model.device.type == "cpu"
        and model.max_length <= PLAIN_ATTENTION
        and backbone.config._attn_implementation == "sdpa"
        and hasattr(backbone, "set_attn_implementation")
    )
    if plain:
        backbone.set_attn_implementation("eager")
    try:
        yield
    finally:
        if plain:
            backbone.set_attn_implementation("sdpa")
