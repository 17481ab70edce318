"""The machine and the versions with which numbers were measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PEERS = (
    "numpy",
    "torch",
    "duckdb",
    "polars",
    "pyarrow",
    "orjson",
    "faiss-cpu",
    "datasketch",
    "sentence-transformers",
    "pytrec-eval-terrier",
    "ranx",
    "ir-measures",
)
# The peers of the GPU's jobs, and the libraries that these need.
GPU_PEERS = ("numpy", "torch", "transformers", "sentence-transformers", "accelerate")
_INSTRUCTIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "amx_bf16": "AMX BF16",
    "avx_vnni": "AVX VNNI",
    "asimd": "NEON",
    "asimddp": "NEON dot product",
}
# These instructions decide the speed of products. A machine is named by the last that it has.
_LEVELS = ("NEON", "AVX2", "AVX-512", "AVX-512 BF16", "AMX BF16")
# Libraries read these variables once, when they start their threads.
_THREAD_VARIABLES = (
    "RAYON_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "NUMBA_NUM_THREADS",
)


def limit_threads(count: int) -> None:
    """Give every library `count` threads. Call this before any of them is imported."""
    for name in _THREAD_VARIABLES:
        os.environ[name] = str(count)


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


def memory() -> int:
    """Return the bytes of memory in this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def describe(device: str = "cpu") -> list[tuple[str, str]]:
    """Return the facts about this machine that matter for speed, as names and values."""
    facts = dict(
        line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line
    )
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    gpu = []
    if device == "cuda":
        import torch

        gpu = [("GPU", torch.cuda.get_device_name()), ("CUDA", str(torch.version.cuda))]
    return [
        *gpu,
        ("processor", facts.get("model name", platform.machine())),
        ("instructions", ", ".join(name for flag, name in _INSTRUCTIONS.items() if flag in flags)),
        ("cores", str(cores())),
        ("memory", f"{memory() / 2**30:.0f} GiB"),
        ("system", f"{platform.system()} {platform.release()}, Python {platform.python_version()}"),
        ("load at the start", f"{os.getloadavg()[0]:.1f}"),
    ]


def name(facts: Sequence[tuple[str, str]]) -> str:
    """Name the kind of machine: by its GPU, or by the instructions of its processor."""
    known = dict(facts)
    if "GPU" in known:
        return "a GPU"
    instructions = known.get("instructions", "").split(", ")
    has = [level for level in _LEVELS if level in instructions]
    return f"a CPU with {has[-1]}" if has else "a CPU"


def versions(device: str = "cpu") -> list[tuple[str, str]]:
    """Return the names and versions of stage2 and its peers."""
    peers = GPU_PEERS if device == "cuda" else PEERS
    return [(name, _version(name)) for name in ("stage2", *peers)]


def _version(name: str) -> str:
    # Jobs that are asked for by name need not have the peers of all.
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
