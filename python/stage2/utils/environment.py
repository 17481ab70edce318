"""This process, and the machine that it runs on, in words for a record."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any


def this_process() -> dict[str, Any]:
    """Who works in a folder, for whoever else comes to it."""
    return {
        "command": " ".join(["stage2", *sys.argv[1:2]]),
        "process": os.getpid(),
        "machine": platform.node(),
        "since": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def launch() -> str | None:
    """What all attempts of one torchrun have in common: its process, and when that began."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    parent = os.getppid()
    try:
        began = Path(f"/proc/{parent}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        began = []
    # The twentieth of what follows the name: ticks since the machine was started.
    return f"{platform.node()} {parent} {began[19] if len(began) > 19 else ''}".strip()


def cpu_name() -> str:
    """The processor's name where the system tells, else its architecture."""
    try:
        lines: Iterable[str] = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = ()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
