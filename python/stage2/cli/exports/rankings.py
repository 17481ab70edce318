"""The rankings of a run as TREC runs, before and after, and the judgements as qrels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from stage2.cli import console
from stage2.cli.export_options import DEPTH, Options
from stage2.cli.finished_run import FinishedRun
from stage2.cli.stage1 import embedding_cache, model_when_needed
from stage2.data.dataset import Samples
from stage2.encoding.ranking_lists import ranking_lists
from stage2.evaluation.evaluate import embed
from stage2.evaluation.ranking import best_of_corpus
from stage2.evaluation.trec import Names, check_ids, qrels_lines, run_lines
from stage2.utils import files
from stage2.utils.errors import BadInputError

_EVALUATIONS = {"before": files.EVALUATION, "after": files.EVALUATION_AFTER}


def write(run: FinishedRun, options: Options, folder: Path) -> None:
    """Write runs among the candidates and, unless the depth is 0, over the whole corpus.

    Raises:
        BadInputError: an id has white space, or a grade is no whole number.
    """
    samples = run.samples
    check_ids("question", samples.qa_ids)
    used = np.unique(samples.candidates)
    check_ids("chunk", samples.context_ids.take(used))
    _write(folder / "qrels.txt", _qrels(samples, range(len(samples))))
    if run.sides is not None:
        for side, rows in run.sides_of(list(samples.qa_ids)).items():
            _write(folder / f"qrels.{side}.txt", _qrels(samples, rows))
    for which, name in _EVALUATIONS.items():
        if run.has(name):
            target = folder / f"candidates.{which}.run"
            _write(target, _of_candidates(samples, run.scores(name), f"stage2-{which}"))
    depth = DEPTH if options.depth is None else options.depth
    if depth and run.inputs.has_corpus:
        check_ids("chunk", run.inputs.samples.context_ids)
        for which, path in run.models.items():
            lines = _of_corpus(run, which, path, depth)
            _write(folder / f"corpus.{which}.run", lines)
    elif depth and options.depth is not None:
        raise BadInputError(
            f"--depth {depth} has no effect here: {run.run.path} was made from samples without "
            "their corpus; leave it out"
        )


def _qrels(samples: Samples, rows: Iterable[int]) -> Iterator[str]:
    starts = np.concatenate([[0], np.cumsum(samples.num_relevant)])
    for row in rows:
        first, count = samples.offsets[row], samples.num_relevant[row]
        ids = samples.context_ids.take(samples.candidates[first : first + count])
        grades = None
        if samples.grades is not None:
            grades = samples.grades[starts[row] : starts[row + 1]].tolist()
        yield from qrels_lines(samples.qa_ids[row], ids, grades)


def _of_candidates(samples: Samples, scores: dict[str, list[float]], tag: str) -> Iterator[str]:
    names = Names.of(samples.context_ids)
    for row, qa_id in enumerate(samples.qa_ids):
        places = samples.candidates[samples.offsets[row] : samples.offsets[row + 1]]
        own = np.array(scores.get(qa_id, ()), np.float32)
        if not len(own):
            continue  # an evaluation may be of the test questions alone
        if len(own) != len(places):
            raise BadInputError(
                f"the question {qa_id!r} has {len(places)} candidates and {len(own)} scores: the "
                "evaluation is of other samples. Give the folder of one stage2 run or evaluate"
            )
        order = names.order(places, own)
        yield from run_lines(qa_id, places[order], own[order], names, tag)


def _of_corpus(run: FinishedRun, which: str, path: str, depth: int) -> Iterator[str]:
    settings, inputs = run.settings_of(path), run.inputs
    model, cache = model_when_needed(settings, path), embedding_cache(settings, path)
    lists = ranking_lists(
        model, inputs.samples, inputs.annotations, similarity=settings.similarity, corpus=True
    )
    with console.bar(f"{which}: corpus") as progress:
        vectors = embed(
            model, lists, settings.precision, progress, cache, run.run.path, settings.budget
        )
    names = Names.of(inputs.samples.context_ids)
    found = best_of_corpus(lists, vectors, names.keys, depth)
    for qa_id, (places, scores) in zip(lists.qa_ids, found, strict=True):
        yield from run_lines(qa_id, places, scores, names, f"stage2-{which}")


def _write(path: Path, lines: Iterator[str]) -> None:
    count = 0
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(line)
            count += 1
    console.say(f"{path.name}: {count:,} lines")
