"""Files that --overwrite replaces are kept until they are replaced for good.

A run that fails leaves the folder as it was. At whatever moment a process is killed, the record
tells the next one what is to be done: to bring back what was moved, or to delete it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stage2.cli import run_files
from stage2.utils import files

Record = dict[str, Any]

# Under `replaced` in the record: what was set aside is kept until the command has ended, it is
# being deleted, or it is being brought back. Without a word it was still being moved.
KEPT, DROPPING, RESTORING = "kept", "dropping", "restoring"


def is_there(folder: Path) -> bool:
    """Tell whether a folder holds what was set aside."""
    return (folder / files.ASIDE).is_dir()


def keep(folder: Path, record: Record, names: Iterable[str], copied: Iterable[str]) -> None:
    """Set aside some of what a folder holds, and its record.

    Files named in `copied` stay where they are too: the command may replace them, and may not.

    Where something was set aside before, by a command that has not ended, that is kept: what the
    command has made since is deleted.
    """
    place = folder / files.ASIDE
    if place.is_dir():
        for name in names:
            files.remove(folder / name)
        return
    if not record:
        return
    place.mkdir()
    files.write_json(place / files.RUN, record)
    for name in names:
        if os.path.lexists(folder / name):
            os.replace(folder / name, place / name)
    for name in copied:
        if (folder / name).is_file():
            shutil.copy2(folder / name, place / name)


def put_right(folder: Path, record: Record) -> Record:
    """Do what a command that was killed has left undone; returns the folder's record."""
    if is_there(folder):
        state = record.get("replaced")
        if state == DROPPING:
            return _drop(folder, record)
        if state != KEPT:
            return put_back(folder, record)
    return record


def put_back(folder: Path, record: Record) -> Record:
    """Bring back what was set aside, in place of what was made since; the earlier record."""
    place = folder / files.ASIDE
    earlier = run_files.read_record(place)
    if record.get("replaced"):
        record["replaced"] = RESTORING
        files.write_json(folder / files.RUN, record)
        stayed = {name.split("/", 1)[0] for name in earlier.get("files", {})}
        made = run_files.patterns(record.get("working", {}).get("stages", ()))
        for name in (files.SETTINGS, *run_files.top_names(made)):
            if name not in stayed and not os.path.lexists(place / name):
                files.remove(folder / name)
    for path in sorted(place.iterdir()):
        if path.name != files.RUN:
            files.remove(folder / path.name)
            os.replace(path, folder / path.name)
    if earlier:
        # The last: until now whoever comes goes on with this.
        os.replace(place / files.RUN, folder / files.RUN)
    files.remove(place)
    return earlier or record


def _drop(folder: Path, record: Record) -> Record:
    """Delete what was set aside, and then forget it."""
    files.remove(folder / files.ASIDE)
    for name in ("replaced", "replaced_by"):
        record.pop(name, None)
    files.write_json(folder / files.RUN, record)
    return record
