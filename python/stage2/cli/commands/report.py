"""`stage2 report` writes the report on a run folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from stage2.cli import console
from stage2.cli.run_folder import RunFolder, in_run_folder
from stage2.config import Settings
from stage2.report.render import write_report
from stage2.utils import files
from stage2.utils.errors import BadInputError


@in_run_folder(adds="report")
def report(settings: Settings, run: RunFolder) -> Path:
    """Write the report on a run folder, and return the path of `report.md`."""
    if not run.record.get("stages"):
        raise BadInputError(f"--output-dir {run.path}: no run there; make one with stage2 run")
    path = write_report(run.path, settings.language, partial(run.begin_report, settings))
    console.keep(report=files.written(path))
    console.say(f"report: {path}")
    return path
