"""Descriptions of this process and of its machine, for records."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any


def this_process() -> dict[str, Any]:
    """Describe this process, so that others can see who works in a folder."""
    return {
        "command": " ".join(["stage2", *sys.argv[1:2]]),
        "process": os.getpid(),
        "machine": platform.node(),
        "since": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def launch() -> str | None:
    """Return what all attempts of one torchrun share: its process and the time of its start.

    Returns:
        A text, or None if this process was not started by torchrun.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    parent = os.getppid()
    try:
        began = Path(f"/proc/{parent}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        began = []
    # The twentieth field after the name is the start of the process, in ticks since the boot.
    return f"{platform.node()} {parent} {began[19] if len(began) > 19 else ''}".strip()


def cpu_name() -> str:
    """Return the name of the processor, or its architecture if the system gives no name."""
    try:
        lines: Iterable[str] = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = ()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
