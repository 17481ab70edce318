"""A teacher's scores in a run folder: asked for once, written with ids, and used as written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from stage2.cli import console
from stage2.cli.inputs import Inputs
from stage2.cli.run_folder import RunFolder
from stage2.cli.teachers import Teacher
from stage2.config import TrainingConfig
from stage2.encoding.ranking_lists import RankingLists
from stage2.encoding.similarity import DECIMALS
from stage2.training.questions import Recipe
from stage2.training.state import questions_hash
from stage2.utils import files
from stage2.utils.arrays import Floats, Ints
from stage2.utils.device import describe, resolve_device, resolve_precision
from stage2.utils.errors import BadInputError, RunFailedError
from stage2.variants import LOSSES


def taught_recipe(
    recipe: Recipe, run: RunFolder, teacher: Teacher | None, inputs: Inputs, visible: Ints
) -> Recipe:
    """Return a recipe with what a teacher says of those rows that may be seen; see `taught`."""
    rows = recipe.at_most(visible)
    return replace(recipe, lists=taught(recipe.settings, run, teacher, recipe.lists, inputs, rows))


def taught(
    settings: TrainingConfig,
    run: RunFolder,
    teacher: Teacher | None,
    lists: RankingLists,
    inputs: Inputs,
    rows: Ints,
) -> RankingLists:
    """Return lists with what a teacher says of the candidates of some questions.

    Its scores are written to `teacher_scores.jsonl`, and noted in the record with their hash. If an
    earlier attempt at the run has written them, they are read. In both cases those in the file are
    used, so that an interrupted run ends with the same bytes.

    Args:
        settings: the settings of the command.
        run: the run folder, in which the command has begun.
        teacher: the teacher; None leaves the lists as they are.
        lists: the lists of all questions.
        inputs: what the lists were made from.
        rows: int64, the questions that may be trained on.

    Raises:
        RunFailedError: a score is not a finite number.
        BadInputError: the teacher gives all candidates of each question one score.
    """
    if teacher is None or not len(rows):
        return lists
    asked = replace(lists.select(rows), corpus=np.empty(0, np.int64))
    texts = np.unique(np.concatenate([asked.questions, asked.candidates]))
    asked = asked.trimmed()
    chunk_ids = inputs.samples.context_ids.take(asked.contexts)
    known = _made_from(settings, teacher, asked, inputs)
    needs_vectors = LOSSES[settings.loss].teacher == "vectors"
    kept = not needs_vectors and _is_kept(run, known)
    vectors = None
    if kept:
        console.say(f"the teacher has scored {len(chunk_ids)} pairs already: "
                    f"{run / files.TEACHER_SCORES}")  # fmt: skip
    else:
        with console.bar("teacher", "pair") as progress:
            told = teacher.tell(asked, chunk_ids, progress)
        _check_finite(teacher, asked, chunk_ids, told.scores)
        rows_written = _rows(asked, chunk_ids, told.scores)
        files.write_jsonl(run / files.TEACHER_SCORES, list(rows_written))
        vectors = told.vectors if needs_vectors else None
    scores = _read(run)
    facts = _facts(teacher, asked, scores)
    if not kept:
        digest = files.sha256(run / files.TEACHER_SCORES)
        run.note_hash(files.TEACHER_SCORES, digest)
        run.record["teacher"] = {**facts, "made_from": known, "sha256": digest}
        # A run that is stopped finds the scores again by this.
        files.write_json(run / files.RUN, run.record)
    _tell(teacher, facts)
    return _with(lists, rows, texts, scores, vectors)


def _made_from(
    settings: TrainingConfig, teacher: Teacher, asked: RankingLists, inputs: Inputs
) -> dict[str, str]:
    """Return all that the scores depend on, the texts and the scores in the data among it."""
    device = resolve_device(settings.device)
    precision = describe(resolve_precision(settings.precision, device))
    return {
        **inputs.hashes,
        **teacher.hashes,
        "questions": questions_hash(asked),
        "precision": precision,
        "device": device.type,
    }


def _is_kept(run: RunFolder, known: Mapping[str, str]) -> bool:
    """Return whether the folder holds the scores of this teacher for these questions."""
    record, path = run.record.get("teacher", {}), run / files.TEACHER_SCORES
    return (
        record.get("made_from") == known
        and path.is_file()
        and files.sha256(path) == record.get("sha256")
    )


def _check_finite(
    teacher: Teacher, asked: RankingLists, chunk_ids: list[str], scores: Floats
) -> None:
    """Refuse scores from which nothing can be learnt."""
    broken = np.flatnonzero(~np.isfinite(scores))
    if len(broken):
        row = int(np.searchsorted(asked.offsets, broken[0], side="right")) - 1
        raise RunFailedError(
            f"--teacher {teacher.name}: {len(broken)} of {len(scores)} scores are not finite; the "
            f"first is that of the chunk {chunk_ids[int(broken[0])]!r} for the question "
            f"{asked.qa_ids[row]!r}. Give --precision fp32, or another teacher"
        )


def _rows(asked: RankingLists, chunk_ids: list[str], scores: Floats) -> Iterator[dict[str, Any]]:
    """Yield a row for each question: its candidates' ids and scores, the ground truths first."""
    for row, qa_id in enumerate(asked.qa_ids):
        part = slice(int(asked.offsets[row]), int(asked.offsets[row + 1]))
        yield {
            "qa_id": qa_id,
            "chunk_ids": chunk_ids[part],
            "scores": [round(value, DECIMALS) for value in scores[part].tolist()],
        }


def _read(run: RunFolder) -> Floats:
    """Return the scores that are written: float32 (m,)."""
    rows = files.read_jsonl(run / files.TEACHER_SCORES)
    return np.asarray([value for row in rows for value in row["scores"]], np.float32)


def _facts(teacher: Teacher, asked: RankingLists, scores: Floats) -> dict[str, Any]:
    """Return the facts about the scores for `run.json`.

    Raises:
        BadInputError: in no list do they differ.
    """
    parts = np.split(scores, asked.offsets[1:-1])
    counts = asked.num_relevant.tolist()
    several = [part for part in parts if len(part) > 1]
    flat = sum(bool(np.ptp(part) == 0) for part in several)
    if flat == len(several):
        raise BadInputError(
            f"--teacher {teacher.name} gives all candidates of each of {len(several)} questions "
            "one score: there is no order to learn; expected a teacher whose scores differ"
        )
    # A ground truth that shares the best score does not lead.
    leads = sum(
        bool(part[:count].max() > part[count:].max(initial=-np.inf))
        for part, count in zip(parts, counts, strict=True)
    )
    return {
        "name": teacher.shown,
        "kind": teacher.kind,
        "questions": len(asked),
        "pairs": len(scores),
        "one_score": flat,
        "top1": round(leads / len(asked), DECIMALS),
    }


def _tell(teacher: Teacher, facts: Mapping[str, Any]) -> None:
    console.say(
        f"the teacher, {facts['name']} ({facts['kind']}), ranks a ground truth first for "
        f"{facts['top1']:.1%} of {facts['questions']} questions that may be trained on"
    )
    if facts["one_score"]:
        console.warn(
            f"--teacher {teacher.name} gives all candidates of {facts['one_score']} questions one "
            "score: it says that they are equally good"
        )


def _with(
    lists: RankingLists, rows: Ints, texts: Ints, scores: Floats, vectors: Floats | None
) -> RankingLists:
    """Put what was told of the questions at `rows` into the lists of all."""
    places = np.concatenate([np.arange(lists.offsets[row], lists.offsets[row + 1]) for row in rows])
    all_scores = np.full(len(lists.candidates), np.nan, np.float32)
    all_scores[places] = scores
    all_vectors = None
    if vectors is not None:
        all_vectors = np.zeros((len(lists.tokens), vectors.shape[1]), np.float32)
        all_vectors[texts] = vectors
    return replace(lists, taught=all_scores, taught_vectors=all_vectors)
