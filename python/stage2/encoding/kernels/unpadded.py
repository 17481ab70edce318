"""Texts of a batch end to end, in one long row: matrix products without padding.

All of an encoder but its attention works token by token, so that texts may follow one another as
if they were one; attention is told where each of them ends. The few texts of a training step are
of many lengths: in a CPU's small groups a fifth of their tokens would be padding, in a GPU's one
group most of them. Many texts, as they are embedded, come in batches of nearly one length, and
padding them is as quick.

A CPU attends to neighbours of one length at a time. A GPU, which waits for every operation that
it is told to do, pads the texts again for their attention alone.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stage2.encoding.encoder import Encoder
from stage2.encoding.kernels.attention import PLAIN_ATTENTION, plain_attention
from stage2.encoding.kernels.dropout import dropout as drop

# Of our attention, in the register that transformers keeps.
NAME = "stage2_end_to_end"
# More tokens at once only leave the processor's cache; fewer pay more often for what is paid once
# for each group, such as the gradient of all token embeddings.
GROUP_TOKENS = 2048
# Where neighbours of one length are attended to at a time.
BY_RUNS = ("cpu",)
# A GPU takes as long in float32 as in half precision where an encoder is narrow: all-MiniLM-L6-v2,
# 384 wide, 241 ms an epoch in one and 242 in the other.
_WIDE = 768
# Tokens of the longest text that an encoder is tried with.
_LONGEST_TRIED = 5
# Rounding of another order of summation, as a share of the largest value.
_CLOSE = {torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.02}

# (texts, tokens of each): neighbours of the same length are attended to at once.
Runs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Layout:
    """Where texts stand that are end to end, and where they would if they were padded.

    Attributes:
        inside: bool (B, T), which places are not padding.
        places: int64 (tokens of all texts,), of each token among the B · T.
        runs: how long the texts are; empty where they are padded for their attention.
    """

    inside: Tensor
    places: Tensor
    runs: Runs

    @staticmethod
    def of(mask: Tensor) -> Layout:
        """Of texts whose mask, int64 (B, T), has 1 for tokens, then 0 for padding."""
        inside = mask.bool()
        by_runs = mask.device.type in BY_RUNS
        runs = runs_of(mask.sum(dim=1).tolist()) if by_runs else ()
        return Layout(inside, inside.flatten().nonzero().squeeze(1), runs)

    def pad(self, values: Tensor) -> Tensor:
        """Values of tokens, (tokens of all texts, ...), padded with 0: (B, T, ...).

        No place is there twice: the sums of both directions' gradients have one term each, and so
        no order that a GPU could change.
        """
        places = values.new_zeros(self.inside.numel(), *values.shape[1:])
        padded: Tensor = places.index_copy(0, self.places, values)
        return padded.view(*self.inside.shape, *values.shape[1:])

    def take(self, padded: Tensor) -> Tensor:
        """What `pad` was given, of what it gave: (B, T, ...) to (tokens of all texts, ...)."""
        return padded.flatten(0, 1).index_select(0, self.places)


def possible(model: Encoder, dtype: torch.dtype) -> bool:
    """Whether this model, where it is, can be trained on texts end to end, and should.

    A GPU multiplies so fast that it waits for what it is told to do next, and padding is cheaper
    than the operations that save it, but for the float32 of a wide encoder.
    """
    wide = model.backbone.config.hidden_size >= _WIDE
    return (
        (
            model.device.type == "cpu"
            or (model.device.type == "cuda" and dtype == torch.float32 and wide)
        )
        and model.backbone.config._attn_implementation in ("sdpa", NAME)
        and model.first_position is not None
    )


def by_runs(model: Encoder) -> bool:
    """Whether texts of a group may differ in length for nothing: they are nowhere padded."""
    return model.device.type in BY_RUNS and possible(model, torch.float32)


@contextmanager
def end_to_end(model: Encoder, dtype: torch.dtype = torch.float32) -> Iterator[None]:
    """Have the model put texts end to end where that is `possible`; else `plain_attention`.

    Args:
        model: that is trained.
        dtype: of its matrix products.
    """
    if not possible(model, dtype):
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


def hidden_states(backbone: Any, input_ids: Tensor, layout: Layout, first_position: int) -> Tensor:
    """The last hidden states of padded texts, computed without the padding.

    Args:
        backbone: whose attention is `NAME`.
        input_ids: int64 (B, T).
        layout: of the texts.
        first_position: that the encoder gives to a text's first token.

    Returns:
        float (tokens of all texts, D): text after text.
    """
    texts, longest = input_ids.shape
    positions = torch.arange(first_position, first_position + longest, device=input_ids.device)
    found: Tensor = backbone(
        input_ids=layout.take(input_ids).unsqueeze(0),
        position_ids=layout.take(positions.expand(texts, longest)).unsqueeze(0),
        layout=layout,
    ).last_hidden_state
    return found.squeeze(0)


def runs_of(lengths: list[int]) -> Runs:
    """Neighbours of the same length, together."""
    return tuple((len(list(run)), length) for length, run in groupby(lengths))


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _mask: Tensor | None,
    layout: Layout,
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
        layout: of the texts.
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
    sides = tuple(side.squeeze(0).transpose(0, 1) for side in (query, key, value))
    inner = _attend_by_runs if layout.runs else _attend_padded
    dropout = dropout if module.training else 0.0
    return inner(sides, layout, scaling, dropout).unsqueeze(0), None


def _attend_by_runs(
    sides: tuple[Tensor, ...], layout: Layout, scaling: float, dropout: float
) -> Tensor:
    """Attention of queries, keys and values, each (T, H, d), a length at a time: (T, H, d)."""
    tokens = [texts * length for texts, length in layout.runs]
    parts = []
    for run, *of_run in zip(layout.runs, *(side.split(tokens) for side in sides), strict=True):
        q, k, v = (side.unflatten(0, run).transpose(1, 2) for side in of_run)
        if run[1] <= PLAIN_ATTENTION:
            weights = torch.softmax((q * scaling) @ k.transpose(2, 3), dim=-1)
            part = drop(weights, dropout, training=dropout > 0) @ v
        else:
            part = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=scaling)
        parts.append(part.transpose(1, 2).flatten(0, 1))
    return torch.cat(parts)


def _attend_padded(
    sides: tuple[Tensor, ...], layout: Layout, scaling: float, dropout: float
) -> Tensor:
    """Attention of queries, keys and values, each (T, H, d), all texts at once: (T, H, d)."""
    q, k, v = (layout.pad(side).transpose(1, 2) for side in sides)
    mask = layout.inside[:, None, None, :]
    found = F.scaled_dot_product_attention(q, k, v, mask, dropout_p=dropout, scale=scaling)
    return layout.take(found.transpose(1, 2))


@functools.cache
def _register() -> None:
    # Not at the top: commands whose vectors are all in the cache do without transformers.
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)


def first_padded_position(backbone: Any) -> int | None:
    """The position of a text's first token, where an encoder must be told it; else None.

    Some encoders count positions by looking for the padding's id, which may stand in a text too:
    told where each token stands, they go by the mask alone, as they do without padding.
    """
    pad = backbone.config.pad_token_id
    if pad is None or pad < 0 or "position_ids" not in signature(backbone.forward).parameters:
        return None
    mask, layout, ids = _trial(backbone, with_padding=False)
    with _in_peace(backbone):
        try:
            right = backbone(input_ids=ids, attention_mask=mask).last_hidden_state
            for first in (0, pad + 1):
                if first + _LONGEST_TRIED > _positions(backbone):
                    continue
                told = torch.arange(first, first + _LONGEST_TRIED, device=ids.device)
                found = backbone(
                    input_ids=ids, attention_mask=mask, position_ids=told.unsqueeze(0)
                ).last_hidden_state
                if _close(layout.take(found), layout.take(right)):
                    # From 0, or wherever it is asked to: no id is looked for.
                    return first or None
        except (AttributeError, TypeError, ValueError, RuntimeError, IndexError):
            return None
    return None


def first_position(backbone: Any) -> int | None:
    """The position of a text's first token, where an encoder can do without padding; else None.

    No position is tried that its table does not have: on a GPU that would end the process.

    It is found by trying: encoders count positions from 0 or from beyond that of their padding,
    and what some want of their attention cannot be done here. Ids that mean something to some of
    them, such as the padding's, are among those tried.
    """
    # Both came with the register of attention functions.
    switch = hasattr(backbone, "set_attn_implementation")
    if not (switch and getattr(backbone, "_supports_attention_backend", False)):
        return None
    _register()
    pad = backbone.config.pad_token_id
    mask, layout, padded = _trial(backbone, with_padding=True)
    was = backbone.config._attn_implementation
    with _in_peace(backbone):
        try:
            told = first_padded_position(backbone)
            right = layout.take(padded_hidden_states(backbone, padded, mask, told))
            backbone.set_attn_implementation(NAME)
            for first in dict.fromkeys((0, (pad or 0) + 1)):
                if first + _LONGEST_TRIED > _positions(backbone):
                    continue
                if _close(hidden_states(backbone, padded, layout, first), right):
                    return first
        except (TypeError, ValueError, RuntimeError, IndexError):
            # It does not take positions, or wants attention of another kind.
            return None
        finally:
            backbone.set_attn_implementation(was)
    return None


def padded_hidden_states(backbone: Any, input_ids: Tensor, mask: Tensor, first: int | None) -> Any:
    """The last hidden states of padded texts, float (B, T, D), whatever ids stand in them.

    Args:
        backbone: an encoder.
        input_ids: int64 (B, T).
        mask: int64 (B, T), 1 for tokens, then 0 for padding.
        first: as `first_padded_position` says of the encoder.
    """
    told = {}
    if first is not None:
        end = first + input_ids.shape[1]
        told["position_ids"] = torch.arange(first, end, device=input_ids.device).unsqueeze(0)
    return backbone(input_ids=input_ids, attention_mask=mask, **told).last_hidden_state


def _trial(backbone: Any, with_padding: bool) -> tuple[Tensor, Layout, Tensor]:
    """Three texts of ids that every vocabulary has, padded: their mask, layout and ids.

    `with_padding` puts the ids of padding and mask in a text; they are left out else.
    """
    device = next(backbone.parameters()).device
    config = backbone.config
    special = {config.pad_token_id, getattr(config, "mask_token_id", None)} - {None}
    vocabulary = [i for i in range(min(64, config.vocab_size)) if i not in special]
    ids = torch.tensor(vocabulary, device=device)[torch.arange(12) * 5 % len(vocabulary)]
    if with_padding:
        for place, number in enumerate(sorted(special)):
            if 0 <= number < config.vocab_size:
                ids[1 + place] = number
    lengths = (_LONGEST_TRIED, _LONGEST_TRIED - 1, _LONGEST_TRIED - 2)
    rows = [[1] * n + [0] * (_LONGEST_TRIED - n) for n in lengths]
    mask = torch.tensor(rows, device=device)
    layout = Layout.of(mask)
    padded = torch.full_like(mask, config.pad_token_id or 0)
    padded[layout.inside] = ids
    return mask, layout, padded


@contextmanager
def _in_peace(backbone: Any) -> Iterator[None]:
    """Try an encoder without dropout and gradients; it is left as it was."""
    was_training = backbone.training
    backbone.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        backbone.train(was_training)


def _positions(backbone: Any) -> int:
    return getattr(backbone.config, "max_position_embeddings", None) or 512


def _close(found: Tensor, right: Tensor) -> bool:
    return bool((found - right).abs().max() <= _CLOSE[right.dtype] * right.abs().max())
