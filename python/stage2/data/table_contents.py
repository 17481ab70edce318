"""The data set or samples that are made of the tables that were read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from stage2._core import Dataset, Samples, TextColumn
from stage2.config import InputConfig
from stage2.data.contents import Contents
from stage2.data.given_scores import GivenScores, scored
from stage2.data.tables import Lists, Tables, texts_of
from stage2.utils.errors import BadInputError
from stage2.variants import DATA_TEACHER

if TYPE_CHECKING:
    from stage2._core._types import Ints


def contents_of(tables: Tables, settings: InputConfig) -> Contents:
    """Make the core's data set of tables, and samples of the negatives that they have.

    Questions without a relevant chunk are left out. A negative with the text of a ground truth of
    its question is none. Everything that is left out is counted in the notes.

    Raises:
        BadInputError: no question has a relevant chunk.
        InputError: the annotations of --entities are wrong.
    """
    notes = list(tables.notes)
    lengths = np.diff(tables.relevant.offsets)
    rows = np.flatnonzero(lengths)
    if not len(rows):
        raise BadInputError(
            f"{settings.data}: none of the {len(lengths)} questions has a relevant chunk; expected "
            "one at least"
        )
    if left := len(lengths) - len(rows):
        notes.append(
            f"{settings.data}: {left} of {len(lengths)} questions have no relevant chunk; they are "
            "left out"
        )
    relevant = tables.relevant if len(rows) == len(lengths) else tables.relevant.take(rows)
    grades = relevant.grades
    # The core takes a chunk without a grade as one of grade 1.
    graded = () if grades is None else (np.where(np.isnan(grades), 1.0, grades),)
    dataset = Dataset.from_columns(
        _taken(tables.questions, rows, len(lengths)),
        tables.texts,
        (relevant.offsets, relevant.chunks, *graded),
        qa_ids=_taken(tables.question_ids, rows, len(lengths)),
        chunk_ids=tables.chunk_ids,
        titles=tables.titles,
        answers=None if tables.answers is None else _taken(tables.answers, rows, len(lengths)),
        entities=settings.entities,
        join_titles=settings.title == "join",
        on_error=settings.on_error,
        max_decompressed=settings.decompressed,
    )
    samples = None
    if len(tables.negatives.chunks) and not tables.judged_only:
        samples = _with_negatives(dataset, tables.negatives.take(rows), notes)
    notes += _unheld(tables)
    sides = None
    if tables.sides is not None:
        kept = set(rows.tolist())
        sides = {
            side: [tables.question_ids[row] for row in own if int(row) in kept]
            for side, own in tables.sides.items()
        }
    return Contents(
        dataset=dataset,
        samples=samples,
        annotations=dataset.annotations,
        sides=sides,
        judgements=tables.judgements,
        notes=tuple(notes),
        rejected=tables.rejected,
        scores=_scores(tables),
    )


def _scores(tables: Tables) -> GivenScores | None:
    """Return the scores of a teacher that tables have; None if they have none."""
    lists = (tables.relevant, tables.negatives)
    if not any(map(scored, lists)):
        return None
    return GivenScores(tables.question_ids, texts_of(tables.questions), tables.chunk_ids, lists)


def _with_negatives(dataset: Dataset, negatives: Lists, notes: list[str]) -> Samples:
    """Make samples whose negatives are the given ones."""
    first = dataset.first_of_text
    num_chunks = dataset.num_chunks

    def keys(offsets: Ints, chunks: Ints) -> Ints:
        """A number for each pair of a question and the text of a chunk."""
        questions = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        return questions * num_chunks + first[chunks]

    given = keys(negatives.offsets, negatives.chunks)
    right = np.isin(given, keys(dataset.relevant_offsets, dataset.relevant))
    _, places = np.unique(given, return_index=True)
    kept = np.zeros(len(given), bool)
    kept[places] = True
    kept &= ~right
    if right.any():
        notes.append(
            f"{int(right.sum())} negatives have the text of a ground truth of their question; they "
            "are left out"
        )
    if repeated := len(given) - int(np.count_nonzero(kept | right)):
        notes.append(
            f"{repeated} negatives have the text of another one of their question; they are left "
            "out"
        )
    offsets = np.concatenate([[0], np.cumsum(kept)])[negatives.offsets].astype(np.int64)
    without = int(np.count_nonzero(np.diff(offsets) == 0))
    some = f"; {without} questions have none" if without else ""
    notes.append(f"the negatives are those of the data, {int(kept.sum())}{some}")
    return dataset.with_negatives(negatives.chunks[kept], offsets)


def _unheld(tables: Tables) -> list[str]:
    """Say what of the tables is not used in training."""
    said = []
    if scores := sum(map(scored, (tables.relevant, tables.negatives))):
        said.append(
            f"the data have {scores} scores of a teacher, which --loss margin-mse and distill-kl "
            f"learn with --teacher {DATA_TEACHER}"
        )
    if tables.prompts is not None:
        count = sum(map(bool, tables.prompts))
        said.append(f"{count} prompts of the data are not read; --query-prompt gives one for all")
    return said


def _taken(column: Sequence[Any], rows: Ints, of: int) -> Sequence[Any]:
    """Take rows of a column of texts."""
    if len(rows) == of:
        return column
    return column.select(rows) if isinstance(column, TextColumn) else [column[row] for row in rows]


def tables_of(dataset: Dataset) -> Tables:
    """Return the tables of a data set that the core has read, to write it in a format.

    What the core does not keep, such as judgements of chunks that are not relevant, is lost.
    """
    none = np.zeros(dataset.num_qa + 1, np.int64)
    titles, answers = list(dataset.chunk_titles), list(dataset.answers)
    return Tables(
        questions=list(dataset.questions),
        question_ids=list(dataset.qa_ids),
        texts=list(dataset.chunk_texts),
        chunk_ids=list(dataset.chunk_ids),
        relevant=Lists(dataset.relevant_offsets, dataset.relevant, dataset.grades),
        negatives=Lists(none, np.empty(0, np.int64)),
        titles=titles if any(titles) else None,
        answers=answers if any(answers) else None,
    )
