"""Training without padding: the texts of a batch form one long row of tokens.

All parts of an encoder but attention treat each token alone, so texts can follow one another.
Attention needs to know where each text ends. The texts of a training step have many lengths. With
padding a fifth of the tokens would be padding in a CPU's small groups, and most of them in a GPU's
single group. When many texts are embedded, batches have texts of nearly the same length, and
padding costs little.

A CPU computes attention for neighbouring texts of one length at a time. A GPU would lose time on so
many small operations, so there the texts are padded again for attention only.
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

# The name of this attention in the registry of transformers.
NAME = "stage2_end_to_end"
# The number of tokens in a group. More tokens do not fit the processor's cache. With fewer tokens
# the fixed costs of a group, such as the gradient of all token embeddings, come more often.
GROUP_TOKENS = 2048
# On these devices attention is computed for neighbouring texts of one length at a time.
BY_RUNS = ("cpu",)
# From this width on a GPU is slower in float32 than in half precision. For all-MiniLM-L6-v2, 384
# wide, an epoch takes 241 ms in one and 242 ms in the other.
_WIDE = 768
# The number of tokens in the longest text of the trial.
_LONGEST_TRIED = 5
# Two results may differ by this share of the largest value, since the order of summation differs.
_CLOSE = {torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.02}

# Runs of neighbouring texts with the same length: (number of texts, tokens of each).
Runs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Layout:
    """The places of tokens in B texts padded to T tokens.

    Attributes:
        inside: bool (B, T), True where a place is not padding.
        places: int64 (tokens of all texts,), the place of each token among the B · T places.
        runs: the runs of texts with the same length; empty if texts are padded for attention.
    """

    inside: Tensor
    places: Tensor
    runs: Runs

    @staticmethod
    def of(mask: Tensor) -> Layout:
        """Make the layout of texts from their mask: int64 (B, T), 1 for tokens, then 0."""
        inside = mask.bool()
        by_runs = mask.device.type in BY_RUNS
        runs = runs_of(mask.sum(dim=1).tolist()) if by_runs else ()
        return Layout(inside, inside.flatten().nonzero().squeeze(1), runs)

    def pad(self, values: Tensor) -> Tensor:
        """Pad values of tokens with 0: (tokens of all texts, ...) to (B, T, ...).

        Each place occurs once. So every sum in the gradients has one term, and a GPU cannot change
        its order.
        """
        places = values.new_zeros(self.inside.numel(), *values.shape[1:])
        padded: Tensor = places.index_copy(0, self.places, values)
        return padded.view(*self.inside.shape, *values.shape[1:])

    def take(self, padded: Tensor) -> Tensor:
        """Undo `pad`: (B, T, ...) to (tokens of all texts, ...)."""
        return padded.flatten(0, 1).index_select(0, self.places)


def possible(model: Encoder, dtype: torch.dtype) -> bool:
    """Return whether this model can be trained without padding on its device, in less time.

    A GPU multiplies fast and spends more time on starting operations. There padding costs less than
    the operations that avoid it, except for a wide encoder in float32.

    Args:
        model: the model, on its device.
        dtype: the dtype of its matrix products.
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
    """Return whether texts are not padded even for attention. Batches may then mix lengths."""
    return model.device.type in BY_RUNS and possible(model, torch.float32)


@contextmanager
def end_to_end(model: Encoder, dtype: torch.dtype = torch.float32) -> Iterator[None]:
    """Train without padding inside the context if that is `possible`, else with `plain_attention`.

    Args:
        model: the model that is trained.
        dtype: the dtype of its matrix products.
    """
    if not possible(model, dtype):
        with plain_attention(model):
            yield
        return
    # Another process may have tried the model and sent it here, so the name may not be known yet.
    _register()
    model.backbone.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.backbone.set_attn_implementation("sdpa")


def hidden_states(backbone: Any, input_ids: Tensor, layout: Layout, first_position: int) -> Tensor:
    """Compute the last hidden states of padded texts without the padding.

    Args:
        backbone: the encoder, with the attention `NAME`.
        input_ids: int64 (B, T).
        layout: the layout of the texts.
        first_position: the position that the encoder gives to the first token of a text.

    Returns:
        float (tokens of all texts, D), text after text.
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
    """Group neighbouring texts of the same length into runs."""
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
    """Compute attention within each text. transformers calls this function.

    Args:
        module: the attention module.
        query: float (1, H, T, d), the tokens of all texts in one row.
        key: float (1, H, T, d), likewise.
        value: float (1, H, T, d), likewise.
        _mask: not used; the layout says where texts end.
        layout: the layout of the texts.
        scaling: the factor of the products; None means 1/√d.
        dropout: the dropout of the attention weights.
        further: other options of the encoder's attention, none of which is supported.

    Returns:
        float (1, T, H, d), and None for the attention weights.

    Raises:
        ValueError: the encoder uses another option.
    """
    further.pop("position_ids", None)  # the hidden states contain them already, if they are used
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
    """Compute attention one run at a time, from queries, keys, values (T, H, d) to (T, H, d)."""
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
    """Compute attention of all texts at once, from queries, keys, values (T, H, d) to (T, H, d)."""
    q, k, v = (layout.pad(side).transpose(1, 2) for side in sides)
    mask = layout.inside[:, None, None, :]
    found = F.scaled_dot_product_attention(q, k, v, mask, dropout_p=dropout, scale=scaling)
    return layout.take(found.transpose(1, 2))


@functools.cache
def _register() -> None:
    # The import is not at the top, since a command with all vectors in the cache needs no
    # transformers.
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)


def first_padded_position(backbone: Any) -> int | None:
    """Return the position of a text's first token, or None if the encoder need not be given it.

    Some encoders find positions by the id of padding, which can also occur in a text. If they get
    the position of each token, they use only the mask, as they do without padding.
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
                positions = torch.arange(first, first + _LONGEST_TRIED, device=ids.device)
                found = backbone(
                    input_ids=ids, attention_mask=mask, position_ids=positions.unsqueeze(0)
                ).last_hidden_state
                if _close(layout.take(found), layout.take(right)):
                    # An encoder that counts from 0 does not look for the id of padding.
                    return first or None
        except (AttributeError, TypeError, ValueError, RuntimeError, IndexError):
            return None
    return None


def first_position(backbone: Any) -> int | None:
    """Return the position of a text's first token, or None if the encoder needs padding.

    The encoder is tried on a few texts. Encoders count positions from 0 or from the position after
    that of padding, and some use options of attention that `attend` does not support. Ids with a
    special meaning, such as that of padding, are among those tried. No position beyond the
    encoder's table is tried, because on a GPU that would end the process.
    """
    # Both attributes came with transformers' registry of attention functions.
    switch = hasattr(backbone, "set_attn_implementation")
    if not (switch and getattr(backbone, "_supports_attention_backend", False)):
        return None
    _register()
    pad = backbone.config.pad_token_id
    mask, layout, padded = _trial(backbone, with_padding=True)
    was = backbone.config._attn_implementation
    with _in_peace(backbone):
        try:
            first_padded = first_padded_position(backbone)
            right = layout.take(padded_hidden_states(backbone, padded, mask, first_padded))
            backbone.set_attn_implementation(NAME)
            for first in dict.fromkeys((0, (pad or 0) + 1)):
                if first + _LONGEST_TRIED > _positions(backbone):
                    continue
                if _close(hidden_states(backbone, padded, layout, first), right):
                    return first
        except (TypeError, ValueError, RuntimeError, IndexError):
            # The encoder does not take positions, or needs another kind of attention.
            return None
        finally:
            backbone.set_attn_implementation(was)
    return None


def padded_hidden_states(backbone: Any, input_ids: Tensor, mask: Tensor, first: int | None) -> Any:
    """Compute the last hidden states of padded texts, even if the id of padding is in a text.

    Args:
        backbone: an encoder.
        input_ids: int64 (B, T).
        mask: int64 (B, T), 1 for tokens, then 0 for padding.
        first: the result of `first_padded_position` for the encoder.

    Returns:
        float (B, T, D).
    """
    more = {}
    if first is not None:
        end = first + input_ids.shape[1]
        more["position_ids"] = torch.arange(first, end, device=input_ids.device).unsqueeze(0)
    return backbone(input_ids=input_ids, attention_mask=mask, **more).last_hidden_state


def _trial(backbone: Any, with_padding: bool) -> tuple[Tensor, Layout, Tensor]:
    """Make three padded texts from ids that every vocabulary has.

    Args:
        backbone: an encoder.
        with_padding: whether a text contains the ids of padding and of the mask token.

    Returns:
        Their mask, layout and ids.
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
    """Turn off dropout and gradients inside the context; restore the encoder's mode after it."""
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
