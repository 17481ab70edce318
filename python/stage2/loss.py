"""Losses: pure functions of similarities."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from stage2.config import Pairs
from stage2.errors import BadInputError


def margin_ranking_loss(
    similarities: Tensor,
    margin: float = 0.1,
    pairs: Pairs = "all",
    mask: Tensor | None = None,
    relevance: Tensor | None = None,
) -> Tensor:
    """Penalise every pair of contexts that is not in order by at least `margin`.

    For contexts in ground-truth order and their similarities s to the question, the loss of a list
    is the mean over its pairs i < j of max(0, margin - (s_i - s_j)); the loss of a batch is the
    mean over its lists. A list without a pair adds 0.

    Args:
        similarities: float (B, N), each row in ground-truth order.
        margin: by how much the better of two must win, in units of cosine; at least 0.
        pairs: `all` i < j; or `graded`, only those whose relevance differs.
        mask: bool (B, N), False where a shorter list has ended; default all True.
        relevance: (B, N), higher is better; for `graded`. Default: the first is relevant, 1, and
            the rest are not, 0.

    Returns:
        Scalar of the dtype of `similarities`.

    Raises:
        BadInputError: a margin that is negative or not finite, unknown `pairs`, or shapes
            that differ.
    """
    if not (math.isfinite(margin) and margin >= 0):
        raise BadInputError(f"margin is {margin}; expected a finite number, 0 or more")
    if pairs not in ("all", "graded"):
        raise BadInputError(f"pairs is {pairs!r}; expected 'all' or 'graded'")
    if similarities.dim() != 2:
        raise BadInputError(f"similarities has shape {tuple(similarities.shape)}; expected (B, N)")
    for name, tensor in (("mask", mask), ("relevance", relevance)):
        if tensor is not None and tensor.shape != similarities.shape:
            raise BadInputError(
                f"{name} has shape {tuple(tensor.shape)}; "
                f"expected that of similarities, {tuple(similarities.shape)}"
            )

    length = similarities.shape[1]
    better, worse = torch.triu_indices(length, length, offset=1, device=similarities.device)
    violation = (margin - (similarities[:, better] - similarities[:, worse])).clamp_min(0)

    counted = torch.ones_like(violation, dtype=torch.bool)
    if mask is not None:
        counted &= mask[:, better] & mask[:, worse]
    if pairs == "graded":
        if relevance is None:
            relevance = torch.zeros_like(similarities)
            relevance[:, :1] = 1
        counted &= relevance[:, better] != relevance[:, worse]

    # `where`, not a product: a masked similarity may be infinite, and 0 · inf is NaN.
    total = torch.where(counted, violation, 0).sum(dim=1)
    return (total / counted.sum(dim=1).clamp_min(1)).mean()
