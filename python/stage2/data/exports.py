"""The mined set of a run in the formats that other tools train from.

A format is a row here and in `variants.EXPORTS`. Its rows of JSON or of a table are made by the
module of `data.formats` that writes data sets in it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from stage2.data.formats import flagembedding, tevatron
from stage2.data.formats import sentence_transformers as columns
from stage2.data.tables import Question

Row = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """The shape of a format.

    Attributes:
        rows: a function that returns the rows for some questions.
        holds: what of a mined set its rows hold besides the texts: `ids`, `grades`, `scores`,
            `answers`.
        needs_negatives: whether a question without negatives has no row.
    """

    rows: Callable[[list[Question]], Iterable[Row]]
    holds: frozenset[str] = frozenset()
    needs_negatives: bool = False


def _each(row: Callable[[Question], Row]) -> Callable[[list[Question]], Iterable[Row]]:
    """Return a function that makes a row of each question."""
    return lambda questions: map(row, questions)


SHAPES = {
    "pairs": Shape(columns.pairs),
    "triplets": Shape(columns.triplets, needs_negatives=True),
    "n-tuples": Shape(columns.n_tuples, needs_negatives=True),
    "labeled-lists": Shape(_each(columns.labeled_list), frozenset({"grades"})),
    "scored-lists": Shape(_each(columns.scored_list), frozenset({"scores"})),
    "flag-embedding": Shape(_each(flagembedding.row), frozenset({"scores"})),
    "tevatron": Shape(_each(tevatron.row), frozenset({"ids", "answers"})),
}


def no_place_for(to: str, questions: Iterable[Question]) -> list[str]:
    """Name what questions have and a format has no place for."""
    listed = list(questions)
    passages = [one for each in listed for one in (*each.relevant, *each.negatives)]
    there = {
        "ids": bool(listed),
        "scores": bool(passages),
        "grades": any(one.grade not in (0, 1) for one in passages),
        "answers": any(each.answer for each in listed),
    }
    holds = SHAPES[to].holds
    return [name for name, is_there in there.items() if is_there and name not in holds]


def left_out(to: str, questions: list[Question]) -> list[str]:
    """Say which questions of a file a format does not hold, a sentence for each reason."""
    told = []
    without = sum(not each.negatives for each in questions)
    if SHAPES[to].needs_negatives and without:
        told.append(f"{without} of {len(questions)} questions have no negative: they are left out")
    most = max((len(each.negatives) for each in questions), default=0)
    fewer = sum(0 < len(each.negatives) < most for each in questions)
    if to == "n-tuples" and fewer:
        told.append(
            f"{fewer} of {len(questions)} questions have fewer than {most} negatives, and n-tuples "
            "have one number for all: they are left out. triplets and labeled-lists hold them"
        )
    return told
