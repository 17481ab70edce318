"""What happens in the process of a command before one of its changes on disk."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# The flags with which a file is opened for writing.
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink")

Happening = Callable[[], None]


def before_change(root: Path, at: int, happens: Happening) -> None:
    """Call a function before one change on disk at or below `root`, or before each change.

    Args:
        root: a folder; it need not exist.
        at: the number of the change, from 1; -1 means each change.
        happens: the function.
    """
    prefix, seen, busy = str(root), 0, False

    def look(event: str, args: tuple[Any, ...]) -> None:
        nonlocal seen, busy
        if busy:
            return
        if event == "open":
            path, _, flags = args
            if not isinstance(flags, int) or not flags & WRITES:
                return
        elif event in CHANGES:
            path = args[0]
        else:
            return
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, (str, os.PathLike)) or not os.fspath(path).startswith(prefix):
            return
        seen += 1
        if at in (-1, seen):
            busy = True
            try:
                happens()
            finally:
                busy = False

    sys.addaudithook(look)


def kill() -> None:
    """Kill this process, as the system does when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)


def fill_disk() -> None:
    """Raise the error that the system raises where the disk is full."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
