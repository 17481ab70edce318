"""Samples that are constructed already: what `stage2 prepare` and `mine` write."""

from __future__ import annotations

from pathlib import Path

from stage2._core import Annotations, Samples
from stage2.config import InputConfig
from stage2.data.contents import Contents
from stage2.data.faults import check_not_empty
from stage2.data.json_rows import Node, read_rows
from stage2.data.table_builder import TableBuilder
from stage2.data.tables import Candidate, Chunk, Question, Tables


def read(settings: InputConfig, _memory_map: bool) -> Contents:
    """Read a file of samples, and the annotations of --entities.

    Samples are few: they are never mapped.
    """
    if settings.data is None:
        raise ValueError("there is no --data to read")
    how = settings.on_error, settings.decompressed
    samples = Samples.load_jsonl(settings.data, *how)
    annotations = Annotations.load(settings.entities, *how) if settings.entities else None
    return Contents(samples=samples, annotations=annotations)


def tables(settings: InputConfig, path: Path) -> Tables:
    """Read all that the file holds, to write it in another format.

    The core reads samples for training; a conversion needs their texts row by row.

    Raises:
        InputError: a row is wrong, or none is left.
    """
    builder = TableBuilder()
    read_rows(path, settings, builder, lambda node: builder.add(_question(node)))
    check_not_empty(builder, str(path))
    return builder.tables()


def _question(node: Node) -> Question:
    grades = node.member("gt_grades")
    values = None if grades is None else [grade.number() for grade in grades.elements()]
    relevant = _candidates(node, "ground_truth_contexts", "gt_chunk_ids", values)
    return Question(
        node.required("question").content("empty_question"),
        id=node.required("qa_id").identifier(),
        relevant=relevant,
        negatives=_candidates(node, "negative_contexts", "negative_chunk_ids", None),
        answer=node.optional_string("answer"),
    )


def _candidates(
    node: Node, texts: str, ids: str, grades: list[float] | None
) -> tuple[Candidate, ...]:
    found = [text.content() for text in node.required(texts).elements()]
    given = node.member(ids)
    names: list[str | None] = [None] * len(found)
    if given is not None:
        names = [one.identifier() for one in given.elements()]
    values: list[float | None] = [None] * len(found) if grades is None else [*grades]
    if not len(found) == len(names) == len(values):
        raise node.fault(
            "length_mismatch",
            f'"{texts}" has {len(found)} elements, and its ids or grades are more or fewer; '
            "expected one a text",
        )
    return tuple(
        Candidate(Chunk(text, id=name), grade)
        for text, name, grade in zip(found, names, values, strict=True)
    )
