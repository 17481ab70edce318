"""The results of a run for each question, as a table of plain columns."""

from __future__ import annotations

from pathlib import Path

from stage2.cli import console
from stage2.cli.export_options import Options
from stage2.cli.finished_run import FinishedRun
from stage2.evaluation.results import result_rows
from stage2.utils import files
from stage2.utils.errors import BadInputError
from stage2.utils.row_files import write_rows


def write(run: FinishedRun, options: Options, folder: Path) -> None:
    """Write a row for each question, source of candidates and system.

    Raises:
        BadInputError: the run was made before each question's metrics were kept.
    """
    path = run.file(files.PER_QUESTION, "run or evaluate")
    questions = files.read_jsonl(path)
    if any(not row.get("metrics") for row in questions):
        raise BadInputError(
            f"{path}: has ranks and no metrics, since an earlier version wrote it; run stage2 "
            "evaluate again, with --overwrite"
        )
    target = folder / f"results.{options.file_kind}"
    count = write_rows(target, result_rows(questions), options.file_kind)
    console.say(f"{target.name}: {len(questions)} questions, {count:,} rows")
