"""Where the tensors live, and how many bits they have."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Literal

import torch

from stage2.errors import BadInputError

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "fp32", "bf16"]


def resolve_device(name: str) -> torch.device:
    """Turn `auto`, `cpu`, `cuda`, `cuda:1` or `mps` into a device that is there.

    Raises:
        BadInputError: the device is not on this machine, or is no device.
    """
    present = ["cpu"]
    if torch.cuda.is_available():
        present.append("cuda")
    if torch.backends.mps.is_available():
        present.append("mps")
    if name == "auto":
        return torch.device(present[-1])
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if (
        device is None
        or device.type not in present
        or (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count())
    ):
        raise BadInputError(
            f"device {name!r} is not there; this machine has {', '.join(present)}. "
            "Use --device auto to take the best of them"
        )
    return device


def resolve_precision(name: str, device: torch.device) -> torch.dtype:
    """Turn `auto`, `fp32` or `bf16` into the type that matrix products are made in.

    `auto` is bfloat16 only where the hardware multiplies it: on a CPU without such instructions
    it is emulated, several times slower than float32.
    """
    if name == "fp32":
        return torch.float32
    if name == "bf16":
        return torch.bfloat16
    if name != "auto":
        raise BadInputError(f"precision is {name!r}; expected auto, fp32 or bf16")
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return torch.float32


def describe(dtype: torch.dtype) -> str:
    """The name that users know a precision by."""
    return "bf16" if dtype == torch.bfloat16 else "fp32"


def facts(device: str, precision: str) -> dict[str, Any]:
    """What `run.json` says of the machine that a model ran on."""
    found = resolve_device(device)
    return {
        "torch": torch.__version__,
        "transformers": version("transformers"),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "device": str(found),
        "precision": describe(resolve_precision(precision, found)),
    }
