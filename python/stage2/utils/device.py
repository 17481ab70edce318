"""The device that tensors lie on, and the precision of matrix products."""

from __future__ import annotations

import functools
import logging
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from stage2.utils.errors import BadInputError

logger = logging.getLogger(__name__)

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

CPUINFO = Path("/proc/cpuinfo")
# A CPU multiplies the type if it has one of these instructions, as /proc/cpuinfo and
# torch.cpu.get_capabilities name them.
INSTRUCTIONS = {
    torch.bfloat16: ("avx512_bf16", "amx_bf16"),
    torch.float16: ("avx512_fp16", "amx_fp16"),
}

INTEL = "GenuineIntel"


def resolve_device(name: str) -> torch.device:
    """Turn `auto`, `cpu`, `cuda`, `cuda:1` or `mps` into a device of this machine.

    Raises:
        BadInputError: this machine has no such device, or the name is not that of a device.
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
    """Turn `auto`, `fp32`, `bf16` or `fp16` into the dtype of matrix products.

    `auto` is bfloat16 where the hardware multiplies it faster, and float32 elsewhere: a CPU without
    such instructions emulates bfloat16, several times slower than float32. On such a CPU `bf16`
    gives bfloat16 with a warning, and `fp16` is refused. Who asks for `bf16` gets it without a
    warning where it is only somewhat slower.

    Raises:
        BadInputError: there is no such precision, or the CPU does not multiply float16.
    """
    if name == "auto":
        return torch.bfloat16 if gains_from_bf16(device) else torch.float32
    if name not in DTYPES:
        raise BadInputError(f"precision is {name!r}; expected auto, {', '.join(DTYPES)}")
    dtype = DTYPES[name]
    if dtype != torch.float32 and device.type == "cpu" and not multiplies(dtype, device):
        if dtype == torch.float16:
            raise BadInputError(
                "--precision fp16: this CPU has no instructions that multiply it "
                f"({' or '.join(INSTRUCTIONS[dtype])}); use --precision auto"
            )
        _warn_of_emulation()
    return dtype


def check_training_precision(name: str, device: str) -> None:
    """Refuse to train in float16 on anything but a GPU, where alone it is faster.

    Raises:
        BadInputError: the precision is `fp16`, and the device is no GPU.
    """
    if name == "fp16" and resolve_device(device).type != "cuda":
        raise BadInputError(
            "--precision fp16 trains on a GPU alone; elsewhere it is for encoding. "
            "Train with --precision bf16 or fp32"
        )


def multiplies(dtype: torch.dtype, device: torch.device) -> bool:
    """Return whether the device has instructions for matrix products in `dtype`."""
    if device.type == "cuda":
        return dtype != torch.bfloat16 or torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu" and dtype in INSTRUCTIONS:
        features = cpu_features()
        return any(features.get(name) for name in INSTRUCTIONS[dtype])
    return dtype == torch.float32


def gains_from_bf16(device: torch.device) -> bool:
    """Return whether the device multiplies bfloat16 faster than float32.

    The AVX-512 instructions for bfloat16 double the speed on AMD's processors. On Intel's they are
    slower than float32, by a third on an Emerald Rapids whose AMX was switched off; there only AMX
    is a gain.
    """
    if not multiplies(torch.bfloat16, device):
        return False
    return device.type != "cpu" or bool(cpu_features().get("amx_bf16")) or cpu_vendor() != INTEL


@functools.cache
def cpu_vendor() -> str:
    """Return the vendor of this CPU as Linux names it; elsewhere the empty string."""
    return vendor_of(_read(CPUINFO))


@functools.cache
def cpu_features() -> Mapping[str, Any]:
    """Return the instructions of this CPU by name, from torch or, if it is too old, from Linux."""
    # Older versions of torch do not have this function.
    find = getattr(torch.cpu, "get_capabilities", None)
    if find is not None:
        found: Mapping[str, Any] = find()
        return found
    return features_of(_read(CPUINFO))


def features_of(cpuinfo: str) -> dict[str, bool]:
    """Return the flags of the first processor in the text of /proc/cpuinfo."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            return dict.fromkeys(value.split(), True)
    return {}


def vendor_of(cpuinfo: str) -> str:
    """Return the vendor of the first processor in the text of /proc/cpuinfo, or nothing."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "vendor_id":
            return value.strip()
    return ""


def describe(dtype: torch.dtype) -> str:
    """Return the name that users give to a precision: `fp32`, `bf16` or `fp16`."""
    return next(name for name, known in DTYPES.items() if known == dtype)


def facts(device: str, precision: str) -> dict[str, Any]:
    """Return what `run.json` records about the machine that a model ran on."""
    found = resolve_device(device)
    return {
        "torch": torch.__version__,
        "transformers": version("transformers"),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "device": str(found),
        "precision": describe(resolve_precision(precision, found)),
    }


@functools.cache
def _warn_of_emulation() -> None:
    logger.warning(
        "--precision bf16: this CPU (%s) has no instructions that multiply it (%s) and emulates "
        "them, several times slower than fp32; --precision auto takes what is fastest",
        platform.machine(), " or ".join(INSTRUCTIONS[torch.bfloat16]),
    )  # fmt: skip


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
