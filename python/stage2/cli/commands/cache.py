"""`stage2 cache` shows the vectors that are kept on disk, and deletes some of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stage2.cli import console, dry_run
from stage2.cli.dry_run import Plan, Workload
from stage2.encoding import cache
from stage2.utils.errors import BadInputError
from stage2.utils.setting import size_of

_MEGABYTE = 1e6


def info(setting: str) -> None:
    """Print a line for each model's vectors, the most recently used first."""
    folder = _folder(setting)
    found = cache.cache_files(folder)
    for item in found:
        console.result(_line(item))
    console.keep(folder=str(folder), models=[_facts(item) for item in found])
    total = sum(item.size for item in found) / _MEGABYTE
    console.say(f"{len(found)} models, {total:,.1f} MB in {folder}")


def prune(setting: str, older_than: float | None, max_size: str | None) -> None:
    """Delete vectors that were not used for `older_than` days, or that do not fit `max_size`."""
    folder = _folder(setting)
    if older_than is not None and not older_than >= 0:
        raise BadInputError(f"--older-than is {older_than}; expected a number of days, 0 or more")
    if older_than is None and max_size is None:
        raise BadInputError("nothing to go by; give --older-than DAYS, --max-size SIZE or both")
    limit = None if max_size is None else size_of("--max-size", max_size)
    dry_run.plan(lambda: _plan(folder, cache.outdated(folder, older_than, limit)))
    gone = cache.prune(folder, older_than, limit)
    for item in gone:
        console.result(_line(item))
    console.keep(folder=str(folder), deleted=[_facts(item) for item in gone])
    freed = sum(item.size for item in gone) / _MEGABYTE
    console.say(f"deleted: the vectors of {len(gone)} models, {freed:,.1f} MB in {folder}")


def _folder(setting: str) -> Path:
    folder = cache.folder_of(setting)
    if folder is None:
        raise BadInputError("--embedding-cache off has no folder; expected auto or a folder")
    return folder


def _plan(folder: Path, gone: Sequence[cache.CacheFile]) -> Plan:
    names = [one.path.name for one in gone]
    return Plan({"--embedding-cache": folder}, Workload(), folder, replaces=names)


def _facts(item: cache.CacheFile) -> dict[str, Any]:
    return {**vars(item), "path": str(item.path)}


def _line(item: cache.CacheFile) -> str:
    line = (
        f"{item.entries:>9,} vectors  {item.size / _MEGABYTE:>8,.1f} MB  "
        f"used {item.age:.1f} days ago  {item.precision}  {item.model}"
    )
    # A name in a file may have control characters, which a terminal would obey.
    return "".join(letter if letter.isprintable() else "�" for letter in line)
