"""Texts of a batch end to end, in one long row: a CPU's matrix products without padding.

All of an encoder but its attention works token by token, so that texts may follow one another as
if they were one; attention is told where each of them ends. The few texts of a training step are
of many lengths: padded, a fifth of their tokens would be padding. Many texts, as they are embedded,
come in batches of nearly one length, and padding them is as quick.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stage2.dropout import dropout as drop
from stage2.encode import PLAIN_ATTENTION, plain_attention

if TYPE_CHECKING:
    from stage2.model import ProbabilisticGBERTV4

# Of our attention, in the register that transformers keeps.
NAME = "stage2_end_to_end"
# More tokens at once only leave the processor's cache; fewer pay more often for what is paid once
# for each group, such as the gradient of all token embeddings.
GROUP_TOKENS = 2048
# Rounding of another order of summation, as a share of the largest value.
_CLOSE = {torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.02}

# (texts, tokens of each): neighbours of the same length are attended to at once.
Runs = tuple[tuple[int, int], ...]


def possible(model: ProbabilisticGBERTV4) -> bool:
    """Whether this model, where it is, can be trained on texts end to end."""
    return (
        model.device.type == "cpu"
        and model.backbone.config._attn_implementation in ("sdpa", NAME)
        and model.first_position is not None
    )


@contextmanager
def end_to_end(model: ProbabilisticGBERTV4) -> Iterator[None]:
    """Have the model put texts end to end where that is possible; else `plain_attention`."""
    if not possible(model):
        with plain_attention(model):
            yield
        return
    # What it was tried with may have been another process, which sent the model here.
    _register()
    model.backbone.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.backbone.set_attn_implementation("sdpa")


def hidden_states(backbone: Any, input_ids: Tensor, mask: Tensor, first_position: int) -> Tensor:
    """The last hidden states of padded texts, computed without the padding.

    Args:
        backbone: whose attention is `NAME`.
        input_ids: int64 (B, T).
        mask: int64 (B, T): 1 for tokens, then 0 for padding.
        first_position: that the encoder gives to a text's first token.

    Returns:
        float (tokens of all texts, D): text after text.
    """
    inside = mask.bool()
    lengths = mask.sum(dim=1).tolist()
    positions = torch.arange(first_position, first_position + mask.shape[1], device=mask.device)
    found: Tensor = backbone(
        input_ids=input_ids[inside].unsqueeze(0),
        position_ids=positions.expand_as(input_ids)[inside].unsqueeze(0),
        runs=runs_of(lengths),
    ).last_hidden_state
    return found.squeeze(0)


def pad(values: Tensor, inside: Tensor) -> Tensor:
    """Values of tokens, (tokens of all texts, ...), padded with 0: (B, T, ...), for bool (B, T)."""
    shape = (*inside.shape, *values.shape[1:])
    where = inside.view(*inside.shape, *[1] * (values.dim() - 1))
    return values.new_zeros(shape).masked_scatter(where, values)


def runs_of(lengths: list[int]) -> Runs:
    """Neighbours of the same length, together."""
    return tuple((len(list(run)), length) for length, run in groupby(lengths))


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _mask: Tensor | None,
    runs: Runs,
    scaling: float | None = None,
    dropout: float = 0.0,
    **further: Any,
) -> tuple[Tensor, None]:
    """Attend within each text, as transformers calls an attention function.

    Args:
        module: whose attention it is.
        query: float (1, H, T, d), texts end to end.
        key: likewise.
        value: likewise.
        _mask: none.
        runs: how long the texts are.
        scaling: of the products; default 1/√d.
        dropout: of the attention weights.
        further: what else an encoder wants of its attention; nothing of it is done here.

    Returns:
        float (1, T, H, d), and no weights.

    Raises:
        ValueError: the encoder wants something further.
    """
    further.pop("position_ids", None)  # They are in the vectors already, or need not be.
    if wanted := [name for name, what in further.items() if what is not None and what is not False]:
        raise ValueError(f"attention with {', '.join(wanted)} cannot be had without padding")
    if scaling is None:
        scaling = query.shape[-1] ** -0.5
    tokens = [texts * length for texts, length in runs]
    sides = (side.squeeze(0).transpose(0, 1).split(tokens) for side in (query, key, value))
    parts = []
    for run, *of_run in zip(runs, *sides, strict=True):
        q, k, v = (side.unflatten(0, run).transpose(1, 2) for side in of_run)
        if run[1] <= PLAIN_ATTENTION:
            weights = torch.softmax((q * scaling) @ k.transpose(2, 3), dim=-1)
            part = drop(weights, dropout, module.training) @ v
        else:
            part = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=scaling)
        parts.append(part.transpose(1, 2).flatten(0, 1))
    return torch.cat(parts).unsqueeze(0), None


@functools.cache
def _register() -> None:
    # Not at the top: commands whose vectors are all in the cache do without transformers.
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)


def first_position(backbone: Any) -> int | None:
    """The position of a text's first token, where an encoder can do without padding; else None.

    It is found by trying: encoders count positions from 0 or from beyond that of their padding,
    and what some want of their attention cannot be done here.
    """
    # Both came with the register of attention functions.
    switch = hasattr(backbone, "set_attn_implementation")
    if not (switch and getattr(backbone, "_supports_attention_backend", False)):
        return None
    _register()
    weight = next(backbone.parameters())
    # Ids that every vocabulary has, and none that means padding.
    pad = backbone.config.pad_token_id
    vocabulary = [i for i in range(min(64, backbone.config.vocab_size)) if i != pad]
    ids = torch.tensor(vocabulary, device=weight.device)[torch.arange(12) * 5 % len(vocabulary)]
    lengths = (5, 4, 3)
    mask = torch.tensor([[1] * n + [0] * (5 - n) for n in lengths], device=weight.device)
    padded = torch.full_like(mask, 0 if pad is None else pad)
    padded[mask.bool()] = ids
    was_training, was = backbone.training, backbone.config._attn_implementation
    backbone.eval()
    try:
        with torch.inference_mode():
            right = backbone(input_ids=padded, attention_mask=mask).last_hidden_state[mask.bool()]
            backbone.set_attn_implementation(NAME)
            for first in dict.fromkeys((0, (pad or 0) + 1)):
                found = hidden_states(backbone, padded, mask, first)
                if (found - right).abs().max() <= _CLOSE[weight.dtype] * right.abs().max():
                    return first
    except (TypeError, ValueError, RuntimeError, IndexError):
        # It does not take positions, or wants attention of another kind.
        return None
    finally:
        backbone.set_attn_implementation(was)
        backbone.train(was_training)
    return None
