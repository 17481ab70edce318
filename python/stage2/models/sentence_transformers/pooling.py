"""The poolings of sentence-transformers, which make one vector of the vectors of a text's tokens.

Each takes the states of B texts with at most T tokens, float (B, T, D), and a mask of the tokens
that are pooled, bool (B, T), with at least one token of each text if the text has any. Padding
comes after the tokens. The vector of no tokens is 0. For the largest value the library has −∞
there, which cannot be compared.
Where words have weights, the sum of a text's weights, float (B,), takes the place of the number of
its tokens; else it is None. The result is float (B, D).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

Pool = Callable[[Tensor, Tensor, Tensor | None], Tensor]

# The library divides by no smaller sum of weights.
_LEAST = 1e-9


def first(states: Tensor, mask: Tensor, _: Tensor | None = None) -> Tensor:
    """Return the vector of the first pooled token, which is [CLS] if no prompt is left out."""
    return _at(states, mask.int().argmax(dim=1))


def last(states: Tensor, mask: Tensor, _: Tensor | None = None) -> Tensor:
    """Return the vector of the last pooled token."""
    end = mask.shape[1] - 1 - mask.int().flip(1).argmax(dim=1)
    return _at(states, end)


def mean(states: Tensor, mask: Tensor, total: Tensor | None = None) -> Tensor:
    """Return the mean of the vectors."""
    weights = mask.to(states.dtype)
    return _sum(states, weights) / _divisor(weights, total)


def mean_by_square_root(states: Tensor, mask: Tensor, total: Tensor | None = None) -> Tensor:
    """Return the sum of the vectors divided by the square root of their number."""
    weights = mask.to(states.dtype)
    return _sum(states, weights) / _divisor(weights, total).sqrt()


def weighted_mean(states: Tensor, mask: Tensor, total: Tensor | None = None) -> Tensor:
    """Return the mean of the vectors, weighted by their places in the text, counted from 1."""
    place = torch.arange(1, mask.shape[1] + 1, device=mask.device, dtype=states.dtype)
    weights = mask * place
    return _sum(states, weights) / _divisor(weights, total)


def maximum(states: Tensor, mask: Tensor, _: Tensor | None = None) -> Tensor:
    """Return the largest value in each dimension."""
    found = states.masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(dim=1)
    return found.masked_fill(~mask.any(dim=1, keepdim=True), 0)


# The poolings by the names that sentence-transformers gives them.
POOLINGS: Mapping[str, Pool] = {
    "cls": first,
    "lasttoken": last,
    "max": maximum,
    "mean": mean,
    "mean_sqrt_len_tokens": mean_by_square_root,
    "weightedmean": weighted_mean,
}


def pooled(
    states: Tensor, mask: Tensor, names: Sequence[str], total: Tensor | None = None
) -> Tensor:
    """Pool in one or several ways, and concatenate the vectors: float (B, D · names)."""
    found = [POOLINGS[name](states, mask, total) for name in names]
    return found[0] if len(found) == 1 else torch.cat(found, dim=1)


def weigh(
    states: Tensor, weights: Tensor, input_ids: Tensor, attention_mask: Tensor
) -> tuple[Tensor, Tensor]:
    """Multiply the states of tokens by the weights of their words.

    Args:
        states: float (B, T, D).
        weights: float (V, 1), the weight of each token of the vocabulary.
        input_ids: int64 (B, T).
        attention_mask: int64 (B, T), 1 for tokens, 0 for padding.

    Returns:
        The states, float (B, T, D), and the sum of the weights of each text, float (B,), which has
        also those of a prompt that is not pooled.
    """
    found = functional.embedding(input_ids, weights).squeeze(-1) * attention_mask
    return states * found.unsqueeze(-1), found.sum(dim=1)


def _divisor(weights: Tensor, total: Tensor | None) -> Tensor:
    """Return what a sum over tokens is divided by: float (B, 1)."""
    if total is None:
        return weights.sum(dim=1, keepdim=True).clamp_min(1)
    return total.unsqueeze(1).clamp_min(_LEAST)


def _sum(states: Tensor, weights: Tensor) -> Tensor:
    """Return the sums over the tokens with weights (B, T): float (B, D)."""
    return torch.einsum("btd,bt->bd", states, weights)


def _at(states: Tensor, place: Tensor) -> Tensor:
    """Return the vector at one place in each text. The places are int64 (B,)."""
    # Not `len`, which would fix the number of texts in a graph that is made of this.
    return states[torch.arange(states.shape[0], device=states.device), place]
