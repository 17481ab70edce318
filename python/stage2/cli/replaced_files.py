"""The files that --overwrite replaces. They are kept until the command has ended.

A run that fails leaves the folder as it was. Whenever a process is killed, the record tells the
next process whether to keep the files that were set aside, delete them or bring them back.
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

# The values of `replaced` in the record. The files that were set aside are kept until the command
# has ended, are being deleted, or are being brought back. Without a value, they were still being
# moved.
KEPT, DROPPING, RESTORING = "kept", "dropping", "restoring"


def is_there(folder: Path) -> bool:
    """Return whether a folder holds files that were set aside."""
    return (folder / files.ASIDE).is_dir()


def keep(folder: Path, record: Record, names: Iterable[str], copied: Iterable[str]) -> None:
    """Set aside some files and folders of a folder, and its record.

    Files in `copied` also stay where they are, since the command may or may not replace them.

    If files were set aside earlier, by a command that has not ended, those are kept. The files that
    this command has made since are deleted.
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
    """Finish or undo what a killed command left half done, and return the folder's record."""
    if is_there(folder):
        state = record.get("replaced")
        if state == DROPPING:
            return _drop(folder, record)
        if state != KEPT:
            return put_back(folder, record)
    return record


def put_back(folder: Path, record: Record) -> Record:
    """Bring back the files that were set aside, and return the earlier record.

    They replace the files that were made since.
    """
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
        # The record comes last: until it is moved, the next process repeats this work.
        os.replace(place / files.RUN, folder / files.RUN)
    files.remove(place)
    return earlier or record


def _drop(folder: Path, record: Record) -> Record:
    """Delete the files that were set aside, and then remove them from the record."""
    files.remove(folder / files.ASIDE)
    for name in ("replaced", "replaced_by"):
        record.pop(name, None)
    files.write_json(folder / files.RUN, record)
    return record
