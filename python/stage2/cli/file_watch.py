"""Files that must not change while they are read: what was hashed is to be what was parsed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from stage2.utils import files
from stage2.utils.errors import RunFailedError

# One state of a file differs from another in these: device, inode, size, time of change.
Stamp = tuple[int, int, int, int]


class Watched:
    """Files as they were before they were read, and the settings that named them."""

    def __init__(self, named: Mapping[str, str | Path]) -> None:
        """Note each file as it is, and of each folder the files that it holds.

        Args:
            named: paths by the setting that names each. What is not there is told by whoever reads
                it.
        """
        self._stamps: dict[Path, Stamp] = {}
        self._named: dict[Path, str | None] = {}
        for name, path in named.items():
            self._note(name, Path(path))

    def add(self, paths: Iterable[str | Path]) -> None:
        """Note files that no setting names."""
        for path in paths:
            self._note(None, Path(path))

    def check(self, names: Iterable[str | None] | None = None) -> None:
        """Compare; of the given settings alone, None being those that no setting names.

        Raises:
            RunFailedError: a file is not as it was.
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
    """The file itself; of a folder the files in it, of a run's folder those of its models."""
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
