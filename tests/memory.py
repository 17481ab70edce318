"""The peak of the memory that a piece of work takes, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# The peak is set back before the work. Without huge pages, because the kernel counts the pages of a
# thread only now and then, and 64 of those are 128 MiB.
_MEASURES = """
import ctypes, gc
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE
def _status(name):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name + ":"))
def begin():
    global _begun
    gc.collect()
    open("/proc/self/clear_refs", "w").write("5")
    _begun = _status("VmRSS")
def end():
    print("took", _status("VmHWM") - _begun)
"""


def run_measured(code: str, *arguments: Path) -> int:
    """Return the bytes by which resident memory rose between `begin()` and `end()` of a program.

    Args:
        code: the program.
        arguments: its arguments.
    """
    command = [sys.executable, "-c", _MEASURES + code, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return int(result.stdout.split("took")[-1])
