"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
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
# What decides the speed of products; the last that a processor has names it.
_LEVELS = ("NEON", "AVX2", "AVX-512", "AVX-512 BF16", "AMX BF16")
# They are read once, when a library starts its threads.
_THREAD_VARIABLES = (
    "RAYON_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "NUMBA_NUM_THREADS",
)


def limit_threads(count: int) -> None:
    """Give every library `count` threads; to be called before any of them is imported."""
    for name in _THREAD_VARIABLES:
        os.environ[name] = str(count)


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


def memory() -> int:
    """Bytes of memory in this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def describe(device: str = "cpu") -> list[tuple[str, str]]:
    """Name and value of what matters for speed."""
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
    """What machines of one kind have in common: a GPU, or how the processor multiplies."""
    known = dict(facts)
    if "GPU" in known:
        return "a GPU"
    instructions = known.get("instructions", "").split(", ")
    has = [level for level in _LEVELS if level in instructions]
    return f"a CPU with {has[-1]}" if has else "a CPU"


def versions(device: str = "cpu") -> list[tuple[str, str]]:
    """Name and version of stage2 and its peers."""
    peers = GPU_PEERS if device == "cuda" else PEERS
    return [(name, version(name)) for name in ("stage2", *peers)]
