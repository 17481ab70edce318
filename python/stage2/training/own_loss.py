"""Losses that people write in Python, beside those of `losses`."""

from __future__ import annotations

import hashlib
import inspect
import secrets
from collections.abc import Callable
from functools import wraps
from typing import Any, Literal

import torch
from torch import Tensor

from stage2.training.losses import FUNCTIONS
from stage2.utils.errors import BadInputError
from stage2.variants import LOSSES, Loss

OwnLoss = Callable[..., Tensor]

# The names of the losses that were added, with the hash of each one's text.
_ADDED: dict[str, str] = {}


def add_loss(
    name: str, function: OwnLoss, *, negatives: Literal["list", "batch", "both"] = "both"
) -> str:
    """Add a loss, which `loss=name` chooses from then on in this process.

    It is called as `function(similarities, mask=mask, relevance=relevance)`, with tensors of the
    same shape (B, N) on one device: similarities of floating point, with a gradient; mask, bool,
    False for entries that do not count; relevance, above 0 for ground truths. It returns the loss
    of each question, floating point (B,). Every question has a ground truth.

    Args:
        name: the name for `loss`, reports and files. A loss that was added may be replaced.
        function: the loss. Parameters that it takes beside the three need defaults.
        negatives: what the N texts are: the candidates of the question's own `list`, the ground
            truths of its `batch`, or `both`, the candidates of all questions of the batch.

    Returns:
        The name.

    Raises:
        BadInputError: the name is that of a loss of stage2, or is no identifier with hyphens;
            `negatives` is unknown.
        TypeError: `function` cannot be called.
    """
    if not callable(function):
        raise TypeError(f"the loss {name} is a {type(function).__name__}; expected a function")
    if not name.replace("-", "_").isidentifier():
        raise BadInputError(
            f"a loss is named {name!r}; expected letters, digits, _ and -, as in my-loss. "
            "stage2.add_loss(name, function) gives it a name"
        )
    if name in LOSSES and name not in _ADDED:
        raise BadInputError(f"a loss of stage2 is named {name} already; expected another name")
    if negatives not in ("list", "batch", "both"):
        raise BadInputError(f"negatives is {negatives!r}; expected 'list', 'batch' or 'both'")
    LOSSES[name] = Loss("a loss of one's own", (), negatives)
    FUNCTIONS[name] = _checked(name, function)
    _ADDED[name] = _hash(function)
    return name


def loss_hashes(name: str) -> dict[str, str]:
    """Return the hash of the text of a loss that was added, as an input of a training; else {}."""
    return {"loss_function": _ADDED[name]} if name in _ADDED else {}


def _checked(name: str, function: OwnLoss) -> OwnLoss:
    """Check what the loss returns each time."""

    @wraps(function)
    def loss(similarities: Tensor, **others: Any) -> Tensor:
        found: Any = function(similarities, **others)
        kind = type(found).__name__
        if isinstance(found, Tensor):
            kind = f"a tensor of {found.dtype} and shape {tuple(found.shape)}"
            if found.shape == similarities.shape[:1] and found.is_floating_point():
                return found.to(torch.float32)
        raise BadInputError(
            f"the loss {name} returned {kind}; expected a tensor of floating point with the loss "
            f"of each question, shape {tuple(similarities.shape[:1])}"
        )

    return loss


def _hash(function: OwnLoss) -> str:
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):
        # Without its text a loss cannot be compared. No training goes on with such a loss.
        text = secrets.token_hex()
    return hashlib.sha256(text.encode()).hexdigest()
