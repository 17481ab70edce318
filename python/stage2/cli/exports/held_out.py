"""The questions by which a model is compared with what it is exported as."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from stage2.cli.finished_run import FinishedRun
from stage2.cli.run_folder import RunFolder
from stage2.config import Settings
from stage2.data.dataset import Dataset, Samples
from stage2.data.sample.build import write_sample
from stage2.models.deviation import HeldOut
from stage2.utils import files

# So many questions with all their candidates are embedded twice.
_QUESTIONS = 64
# Each question of the built-in sample has this number of negatives.
_NEGATIVES = 20


def held_out(settings: Settings, model: Path) -> HeldOut:
    """Return questions of the run that a model belongs to, held out of its training if it has such.

    For any other model they are those of the built-in sample.

    Args:
        settings: the settings of the command.
        model: the folder of the model.
    """
    for place in list(model.resolve().parents)[:2]:
        if (place / files.RUN).is_file() and (place / files.CONSTRUCTED).is_file():
            with RunFolder(str(place), adds="report") as locked:
                run = FinishedRun(locked, settings)
                sides = run.sides_of(list(run.samples.qa_ids))
                rows = sides.get("test") or list(range(len(run.samples)))
                name = "held-out questions" if "test" in sides else "questions"
                return _of(run.samples, rows, f"{name} of the run")
    with tempfile.TemporaryDirectory() as folder:
        sample = write_sample(Path(folder))
        dataset = Dataset.load(qa=sample.qa, chunks=sample.chunks)
    samples = dataset.construct(negatives=_NEGATIVES)
    return _of(samples, list(range(len(samples))), "questions of the built-in sample")


def _of(samples: Samples, rows: list[int], name: str) -> HeldOut:
    """Return the first questions at `rows`, with their candidates."""
    few = np.array(rows[:_QUESTIONS], np.int64)
    taken = samples.take(few)
    documents, candidates = np.unique(taken.candidates, return_inverse=True)
    contexts = taken.contexts
    return HeldOut(
        f"{len(few)} of {len(rows)} {name}",
        list(taken.questions),
        [contexts[int(row)] for row in documents],
        candidates.astype(np.int64),
        taken.offsets,
        taken.num_relevant,
    )
