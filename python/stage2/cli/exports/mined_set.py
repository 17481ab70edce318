"""The mined set of a run, for another trainer: a file for each side of the split."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stage2.cli import console
from stage2.cli.export_options import Options
from stage2.cli.finished_run import FinishedRun
from stage2.data.dataset import Samples
from stage2.data.exports import SHAPES, left_out, no_place_for
from stage2.data.mined import MinedSet
from stage2.utils import files
from stage2.utils.errors import BadInputError
from stage2.utils.row_files import write_rows


def write(run: FinishedRun, options: Options, folder: Path) -> None:
    """Write the hard examples of a run, or all its questions, with their negatives.

    Raises:
        BadInputError: there is no such question, or a file of the run was changed.
    """
    mined = _mined(run, options.questions or "hard")
    sides = run.sides_of(list(mined.samples.qa_ids))
    if run.sides is None:
        console.say(f"{run.run.path} has no split: all questions are in one file")
    if lost := no_place_for(options.to, mined):
        console.warn(f"--to {options.to} has no place for {', '.join(lost)}: they are left out")
    for side, rows in sides.items():
        questions = list(mined.take(rows))
        path = folder / f"{side}.{options.file_kind}"
        for sentence in left_out(options.to, questions):
            console.warn(f"{side}: {sentence}")
        made = list(SHAPES[options.to].rows(questions))
        if not made:
            console.warn(f"{side}: no question has a negative, so that there is no {path.name}")
            continue
        count = write_rows(path, made, options.file_kind)
        console.say(f"{path.name}: {len(questions)} questions, {count} rows")
    if not any(folder.iterdir()):
        raise BadInputError(
            f"{run.run.path}: no question has a negative, and --to {options.to} needs one; take "
            "--to pairs"
        )


def _mined(run: FinishedRun, which: str) -> MinedSet:
    samples = run.samples
    if which == "hard":
        path = run.file(files.HARD, "mine or run")
        if not path.stat().st_size:
            raise BadInputError(
                f"{path}: no question is hard; --questions all exports every question with its "
                "negatives"
            )
        samples = Samples.load_jsonl(path)
    try:
        return MinedSet.of(samples, _scores(run))
    except LookupError as error:
        raise BadInputError(
            f"{run.run.path}: {files.EVALUATION} has no scores for the candidates of the question "
            f"{error.args[0]!r}: it is of other samples. Give the folder of one stage2 mine or run"
        ) from error


def _scores(run: FinishedRun) -> dict[str, dict[tuple[str, str], float]]:
    """Return the scores of each question's candidates by their ids and texts."""
    samples, scores = run.samples, run.scores(files.EVALUATION)
    found = {}
    offsets = np.asarray(samples.offsets)
    for row, qa_id in enumerate(samples.qa_ids):
        places = samples.candidates[offsets[row] : offsets[row + 1]]
        own = scores.get(qa_id, [])
        if len(own) == len(places):
            named = zip(
                samples.context_ids.take(places), samples.contexts.take(places), strict=True
            )
            found[qa_id] = dict(zip(named, own, strict=True))
    return found
