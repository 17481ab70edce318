"""What makes a model quick for as long as texts are embedded: packed weights, or compiling."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from stage2.encoding.kernels.swap_forward import swapped_forward
from stage2.utils.errors import RunFailedError

# Beyond this a first guess at the rows of a product changes nothing in how weights are laid out.
ROWS = 1024


@contextmanager
def packed(model: nn.Module) -> Iterator[None]:
    """Have the model's linear layers multiply by packed weights; for inference alone.

    oneDNN computes with weights in blocks. Without this every product lays out its weights again,
    which takes a fifth of it where a batch fits the cache. The blocks are a second copy of the
    linear layers' weights, and are let go of at the end. torch reaches them by operators that its
    own compiler uses but that have no public name: where they are missing, refuse or miscalculate,
    the model works as ever.

    Args:
        model: weights of one dtype, on one device; it must not be trained meanwhile.
    """
    layers = [module for module in model.modules() if type(module) is nn.Linear]
    layers = [layer for layer in layers if _can_pack(layer.weight.device.type, layer.weight.dtype)]
    with swapped_forward((layer, _multiply(layer)) for layer in layers):
        yield


@contextmanager
def compiled(model: Any) -> Iterator[None]:
    """Have torch compile the model's `backbone` for batches of any size; for inference alone.

    Raises:
        RunFailedError: torch cannot, as where a CPU's machine has no C++ compiler.
    """
    backbone = model.backbone
    quick = torch.compile(backbone.forward, dynamic=True)
    try:
        with swapped_forward([(backbone, quick)]):
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
    """Whether packed products work here and are right; tried once, on a small one."""
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
        # Small multiples of an eighth: exact in every dtype that has seven bits.
        return torch.equal(found, torch.nn.functional.linear(rows, layer.weight, layer.bias))
