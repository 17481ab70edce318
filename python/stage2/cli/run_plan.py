"""The plan of a command that works in a run folder; see `dry_run`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stage2.cli import run_files
from stage2.cli.dry_run import Plan, Workload
from stage2.config import Settings
from stage2.usage import USES, read_by
from stage2.utils import files


def run_plan(
    folder: Path,
    settings: Settings,
    reads: Iterable[str | Path],
    stages: Iterable[str],
    replaced: Iterable[str] = (),
    load: Workload | None = None,
) -> Plan:
    """Return what a command would read, compute, write and replace.

    Args:
        folder: the run folder, which need not exist.
        settings: the settings of the command. The paths that they name are read.
        reads: paths that the command reads and that no setting names.
        stages: the stages whose files it writes.
        replaced: the patterns of the files that it replaces or deletes; those that it writes too.
        load: what it would compute; None for nothing that takes long.
    """
    stages = list(stages)
    named: dict[str, str | Path] = {
        name if "/" in name else f"--{name.replace('_', '-')}": path
        for name, path in read_by(settings).items()
        # A settings file may name what the command does not read.
        if name not in USES or not {*USES[name].decides, *USES[name].serves}.isdisjoint(stages)
    }
    named |= {f"input {number}": path for number, path in enumerate(reads, 1)}
    # A run that is evaluated ends with a report.
    reports = ["report"] if {"train", "evaluate"} <= {*stages} else []
    writes = run_files.patterns([*stages, *reports])
    there = run_files.found(folder, dict.fromkeys((files.SETTINGS, *writes, *replaced)))
    return Plan(
        named,
        load or Workload(),
        folder,
        run_files.shown_names(writes),
        [path.relative_to(folder).as_posix() for path in there],
    )
