"""The choice of the questions that a command uses, if the sides of a split are given."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from stage2.cli import console
from stage2.config import Settings
from stage2.data.contents import SIDES, Contents, Sides
from stage2.data.split_file import read_split_file
from stage2.utils.errors import BadInputError


def used_questions(settings: Settings, contents: Contents, only: Sequence[str] | None) -> Contents:
    """Leave out questions on no side of --split-file, and questions on sides that are not used.

    Args:
        settings: `split_file`, `split`, `dev_data` and `on_error` are used.
        contents: the content of a data set, with the sides that its own files give.
        only: the sides that are used; None means all.

    Returns:
        The content of the questions that are used, with the sides that count, if any.

    Raises:
        BadInputError: the file is invalid, names questions that the data set does not have, or has
            no question on the sides that are used.
    """
    if not uses_sides(settings):
        return replace(contents, sides=None)
    path = settings.split_file
    if path is None:
        return _of_files(contents, only)
    given = read_split_file(path)
    sides = _known(settings, contents, given.sides)
    every = sides
    placed = sum(len(ids) for ids in sides.values())
    if left := len(_qa_ids(contents)) - placed:
        console.say(f"{left} questions are on no side of {path}: they are left out")
    if only is not None:
        sides = {side: ids if side in only else [] for side, ids in sides.items()}
    if not any(sides.values()):
        raise BadInputError(
            f"{path}: no question of {' or '.join(only or SIDES)} is among those of the data; "
            "expected some"
        )
    return replace(_taken(contents, sides, every), seen_chunks=given.seen_chunks)


def uses_sides(settings: Settings) -> bool:
    """Return whether given sides count. With --split none or with --dev-data they do not."""
    return settings.split != "none" and settings.dev_data is None


def _of_files(contents: Contents, only: Sequence[str] | None) -> Contents:
    """Choose questions by the sides that the data set's own files give, if they give any."""
    sides = contents.sides
    if sides is None:
        for name in contents.judgements:
            console.say(f"{name} has all judgements: the sides of a split are not told by files")
        return contents
    told = ", ".join(f"{side} {len(sides[side])}" for side in SIDES if side in sides)
    console.say(f"sides by the names of {', '.join(contents.judgements)}: {told} questions")
    wanted = {side: ids for side, ids in sides.items() if only is None or side in only}
    if not any(wanted.values()):
        return replace(contents, sides=None)
    return _taken(contents, wanted, sides) if only is not None else contents


def _known(settings: Settings, contents: Contents, sides: Sides) -> Sides:
    """Leave out ids that the data set does not have, or refuse them if it must have them all."""
    have = set(_qa_ids(contents))
    unknown = [(side, qa_id) for side in SIDES for qa_id in sides[side] if qa_id not in have]
    if not unknown:
        return sides
    # A file of samples may have only the hard ones, and --on-error skip leaves out questions.
    if contents.dataset is not None and settings.on_error == "strict":
        side, qa_id = unknown[0]
        more = f", nor are {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise BadInputError(
            f"{settings.split_file}: the question {qa_id!r} of {side} is not in the data{more}; "
            "expected ids of its questions. --on-error skip leaves such ids out"
        )
    console.say(f"{len(unknown)} ids of {settings.split_file} are of no question in the data")
    return {side: [qa_id for qa_id in sides[side] if qa_id in have] for side in SIDES}


def _taken(contents: Contents, sides: Sides, every: Sides) -> Contents:
    """Keep only the questions on these sides, and what answers those on the other sides."""
    import numpy as np  # imported here, so that `stage2 prepare` starts without it

    wanted = {qa_id for ids in sides.values() for qa_id in ids}
    rows = np.asarray(
        [row for row, qa_id in enumerate(_qa_ids(contents)) if qa_id in wanted], np.int64
    )
    others = {qa_id for ids in every.values() for qa_id in ids} - wanted
    held_out = tuple(_answers(contents, others))
    dataset = None if contents.dataset is None else contents.dataset.take(rows)
    samples = None if contents.samples is None else contents.samples.take(rows)
    return replace(contents, dataset=dataset, samples=samples, sides=sides, held_out=held_out)


def _answers(contents: Contents, ids: Collection[str]) -> Iterator[str]:
    """Yield the ground-truth texts of some questions."""
    import numpy as np  # imported here, as above

    dataset, samples = contents.dataset, contents.samples
    rows = [row for row, qa_id in enumerate(_qa_ids(contents)) if qa_id in ids]
    if not rows:
        return
    if dataset is not None:
        truths, starts = np.asarray(dataset.relevant), np.asarray(dataset.relevant_offsets)
        found = [truths[starts[row] : starts[row + 1]] for row in rows]
        yield from (dataset.chunk_text(chunk) for chunk in np.unique(np.concatenate(found)))
    elif samples is not None:
        candidates, starts = np.asarray(samples.candidates), np.asarray(samples.offsets)
        counts = np.asarray(samples.num_relevant)
        found = [candidates[starts[row] : starts[row] + counts[row]] for row in rows]
        yield from samples.contexts.take(np.unique(np.concatenate(found)))


def _qa_ids(contents: Contents) -> Sequence[str]:
    found = contents.dataset if contents.dataset is not None else contents.samples
    if found is None:
        raise ValueError("a data set has neither a corpus nor samples")
    return found.qa_ids
