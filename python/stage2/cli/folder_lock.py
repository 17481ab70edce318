"""A lock on a folder: one process works in it at a time, and the lock ends with that process."""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path

from stage2.cli import console

# The seconds to wait for a lock. A command that was just killed may not have ended yet.
WAIT = 2.0
_PAUSE = 0.05

# The errors of a file system that has no locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


class FolderLock:
    """The lock of one folder, which must exist.

    The operating system keeps the lock, and not a file. Nothing is left behind, but for an empty
    file `.lock` on Windows. The lock of a killed process ends, in whatever container it ran.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        """Return whether this object holds the lock."""
        return self._handle is not None

    def acquire(self, wait: float) -> bool:
        """Take the lock. Return False if another process still holds it after `wait` seconds.

        Raises:
            OSError: the folder cannot be opened.
        """
        if self.held:
            return True
        handle = _open(self.folder)
        give_up = time.monotonic() + wait
        try:
            while not _try(handle):
                if time.monotonic() >= give_up:
                    os.close(handle)
                    return False
                time.sleep(_PAUSE)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(handle)
                raise
            console.warn(
                f"{self.folder} lies where nothing can be locked ({error.strerror}): give no other "
                "command the same folder while this one works"
            )
        self._handle = handle
        return True

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def is_there(self) -> bool:
        """Return whether the path still leads to the folder that is locked."""
        if self._handle is None:
            return self.folder.is_dir()
        if sys.platform == "win32":
            return self.folder.is_dir()
        try:
            return os.path.samestat(os.fstat(self._handle), os.stat(self.folder))
        except OSError:
            return False


if sys.platform == "win32":  # Windows cannot open a folder, so a file in it is locked.
    import msvcrt

    def _open(folder: Path) -> int:
        return os.open(folder / ".lock", os.O_RDWR | os.O_CREAT)

    def _try(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _open(folder: Path) -> int:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)

    def _try(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
