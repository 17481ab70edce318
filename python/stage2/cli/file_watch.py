"""A watch on files that must not change while they are read.

A file is parsed and hashed separately. Both must read the same content.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from stage2.utils import files
from stage2.utils.errors import RunFailedError

# The device, inode, size and time of change of a file. They show whether the file has changed.
Stamp = tuple[int, int, int, int]


class Watched:
    """The stamps of files before they were read, and the settings that name the files."""

    def __init__(self, named: Mapping[str, str | Path]) -> None:
        """Note the stamp of each file, and of every file in each folder.

        Args:
            named: the paths, by the setting that names each. A path that does not exist is skipped;
                the code that reads it reports the error.
        """
        self._stamps: dict[Path, Stamp] = {}
        self._named: dict[Path, str | None] = {}
        for name, path in named.items():
            self._note(name, Path(path))

    def add(self, paths: Iterable[str | Path]) -> None:
        """Note the stamps of files that no setting names."""
        for path in paths:
            self._note(None, Path(path))

    def check(self, names: Iterable[str | None] | None = None) -> None:
        """Check that no file has changed since its stamp was noted.

        Args:
            names: the settings whose files are checked; a None among them stands for the files that
                no setting names. Without `names` all files are checked.

        Raises:
            RunFailedError: a file has changed.
        """
        wanted = None if names is None else set(names)
        for path, stamp in self._stamps.items():
            if (wanted is None or self._named[path] in wanted) and _stamp(path) != stamp:
                raise RunFailedError(
                    f"{path}: changed while it was read, so that nothing can be said of what was "
                    "made of it. Run the command again when nothing writes to the file"
                )

    def _note(self, name: str | None, path: Path) -> None:
        for file in _files_of(path):
            if (stamp := _stamp(file)) is not None:
                self._stamps[file], self._named[file] = stamp, name


def _files_of(path: Path) -> Iterator[Path]:
    """Yield the file itself, all files in a folder, or the files of a run folder's models."""
    try:
        if path.is_file():
            yield path
        elif (path / files.RUN).is_file():
            for model in (files.SHIPPED_MODEL, files.STAGE1_MODEL):
                yield from _files_of(path / model)
        elif path.is_dir():
            yield from sorted(inner for inner in path.rglob("*") if inner.is_file())
    except OSError:
        return


def _stamp(path: Path) -> Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
