"""Faster inference with packed weights or with a compiled backbone."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from stage2.encoding.kernels.swap_forward import swapped_forward
from stage2.utils.errors import RunFailedError

# The expected number of rows in a product. A larger number does not change the layout of weights.
ROWS = 1024


@contextmanager
def packed(model: nn.Module) -> Iterator[None]:
    """Use packed weights in the model's linear layers inside the context, for inference only.

    oneDNN computes with weights in blocks. Usually every product first arranges its weights in
    blocks, which takes a fifth of its time if a batch fits the cache. Here the blocks are made
    once, as a second copy of the weights, and freed at the end. The operators for this belong to
    torch's compiler and are not public. If they are missing, fail or give wrong results, nothing
    changes.

    Args:
        model: the model, with weights of one dtype on one device. It must not be trained meanwhile.
    """
    layers = [module for module in model.modules() if type(module) is nn.Linear]
    layers = [layer for layer in layers if _can_pack(layer.weight.device.type, layer.weight.dtype)]
    with swapped_forward((layer, _multiply(layer)) for layer in layers):
        yield


@contextmanager
def compiled(model: Any) -> Iterator[None]:
    """Compile the backbones of a model with torch inside the context, for inference only.

    They are compiled for batches of any size.

    Raises:
        RunFailedError: torch cannot compile it, for example because there is no C++ compiler.
    """
    backbones = [one.backbone for one in model.encoders]
    quick = [torch.compile(backbone.forward, dynamic=True) for backbone in backbones]
    try:
        with swapped_forward(zip(backbones, quick, strict=True)):
            yield
    except torch._dynamo.exc.TorchDynamoException as error:
        reason = " ".join(str(error).split("\n")[:2])
        raise RunFailedError(
            f"--compile: torch cannot compile this encoder here ({reason}); leave --compile out"
        ) from error


def _multiply(layer: nn.Linear) -> Callable[[Tensor], Tensor]:
    blocks = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), ROWS)
    bias = layer.bias

    def forward(rows: Tensor) -> Tensor:
        found: Tensor = torch.ops.mkldnn._linear_pointwise(rows, blocks, bias, "none", [], "")
        return found

    return forward


@functools.cache
def _can_pack(device: str, dtype: torch.dtype) -> bool:
    """Return whether packed products work here and are correct. One small product is tried."""
    if device != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    inner = torch.arange(64.0).remainder(7).sub(3).to(dtype)
    layer = nn.Linear(64, 32, dtype=dtype)
    with torch.inference_mode():
        layer.weight.copy_(inner.repeat(32, 1) / 8)
        layer.bias.copy_(torch.arange(32.0) / 8)
        rows = inner.roll(1).repeat(5, 1)
        try:
            found = _multiply(layer)(rows)
        except (AttributeError, RuntimeError):
            return False
        # All numbers are small multiples of 1/8, which every dtype with seven bits holds exactly.
        return torch.equal(found, torch.nn.functional.linear(rows, layer.weight, layer.bias))
