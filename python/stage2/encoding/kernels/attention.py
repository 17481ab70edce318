"""Attention by plain matrix products, which is faster than fused attention for short texts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stage2.encoding.encoder import Encoder

# The attention weights of a text with up to so many tokens fit the processor's cache.
PLAIN_ATTENTION = 512


@contextmanager
def plain_attention(model: Encoder) -> Iterator[None]:
    """Compute attention by plain matrix products inside the context, for short texts on a CPU.

    The fused kernel saves memory, but short texts need little. With it embedding takes a tenth
    longer, and a training step a quarter longer.

    Args:
        model: the model. Nothing changes on other devices, or if its texts may be longer.
    """
    backbones = [
        one.backbone
        for one in model.encoders
        if one.device.type == "cpu"
        and one.max_length <= PLAIN_ATTENTION
        and one.backbone.config._attn_implementation == "sdpa"
        and hasattr(one.backbone, "set_attn_implementation")
    ]
    for backbone in backbones:
        backbone.set_attn_implementation("eager")
    try:
        yield
    finally:
        for backbone in backbones:
            backbone.set_attn_implementation("sdpa")
