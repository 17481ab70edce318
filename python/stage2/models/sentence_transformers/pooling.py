"""The vectors of a text's tokens as one vector: the poolings that sentence-transformers has.

In all of them B texts of at most T tokens have states, float (B, T, D), and a mask, bool (B, T), of
the tokens that are pooled, at least one of each text. Padding stands behind the tokens. The result
is float (B, D).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

Pool = Callable[[Tensor, Tensor], Tensor]


def first(states: Tensor, mask: Tensor) -> Tensor:
    """The vector of the first token, which is [CLS] where no prompt is left out."""
    return _at(states, mask.int().argmax(dim=1))


def last(states: Tensor, mask: Tensor) -> Tensor:
    """The vector of the last token, wherever it stands."""
    end = mask.shape[1] - 1 - mask.int().flip(1).argmax(dim=1)
    return _at(states, end)


def mean(states: Tensor, mask: Tensor) -> Tensor:
    """The mean of the vectors."""
    weights = mask.to(states.dtype)
    return _sum(states, weights) / weights.sum(dim=1, keepdim=True)


def mean_by_square_root(states: Tensor, mask: Tensor) -> Tensor:
    """The sum of the vectors over the square root of their number."""
    weights = mask.to(states.dtype)
    return _sum(states, weights) / weights.sum(dim=1, keepdim=True).sqrt()


def weighted_mean(states: Tensor, mask: Tensor) -> Tensor:
    """The mean of the vectors, each weighted by its place in the text, the first place being 1."""
    place = torch.arange(1, mask.shape[1] + 1, device=mask.device, dtype=states.dtype)
    weights = mask * place
    return _sum(states, weights) / weights.sum(dim=1, keepdim=True)


def maximum(states: Tensor, mask: Tensor) -> Tensor:
    """The greatest value of each dimension."""
    return states.masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(dim=1)


# By the names that sentence-transformers gives them.
POOLINGS: Mapping[str, Pool] = {
    "cls": first,
    "lasttoken": last,
    "max": maximum,
    "mean": mean,
    "mean_sqrt_len_tokens": mean_by_square_root,
    "weightedmean": weighted_mean,
}


def pooled(states: Tensor, mask: Tensor, names: Sequence[str]) -> Tensor:
    """Pool in one or several ways, whose vectors are put end to end: float (B, D · names)."""
    found = [POOLINGS[name](states, mask) for name in names]
    return found[0] if len(found) == 1 else torch.cat(found, dim=1)


def _sum(states: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums over the tokens, float (B, D), of weights (B, T)."""
    return torch.einsum("btd,bt->bd", states, weights)


def _at(states: Tensor, place: Tensor) -> Tensor:
    """The vectors at one place of each text, int64 (B,)."""
    return states[torch.arange(len(states), device=states.device), place]
