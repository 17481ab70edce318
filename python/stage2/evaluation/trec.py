"""Runs and qrels as trec_eval reads them.

A line of a run is `qid Q0 docid rank score tag`, and one of qrels `qid 0 docid relevance`.
trec_eval does not read the rank: it sorts by falling score, as float32, and of equal scores the
document with the last name comes first. Runs are written in that order, and so are the ranks in
them. A score has as many digits as its float32 needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stage2.utils.arrays import Floats, Ints
from stage2.utils.errors import BadInputError


@dataclass(frozen=True)
class Names:
    """The names of N documents.

    Attributes:
        ids: the ids of the documents.
        keys: int64 (N,), the places of the ids in the ascending order of their bytes.
    """

    ids: Sequence[str]
    keys: Ints

    @classmethod
    def of(cls, ids: Sequence[str]) -> Names:
        """Order ids by their bytes, equal ones by their places."""
        keys = np.empty(len(ids), np.int64)
        keys[sorted(range(len(ids)), key=lambda place: ids[place].encode())] = np.arange(len(ids))
        return cls(ids, keys)

    def order(self, places: Ints, scores: Floats) -> Ints:
        """Order documents as trec_eval does.

        Args:
            places: int64 (k,), the documents.
            scores: float32 (k,), their scores.

        Returns:
            int64 (k,), indices into `places`.
        """
        return np.lexsort((-self.keys[places], -scores))


def check_ids(of: str, ids: Iterable[str]) -> None:
    """Refuse ids that a line of TREC cannot hold, because white space parts its fields.

    Args:
        of: what the ids are of, for messages.
        ids: the ids.

    Raises:
        BadInputError: an id is empty, or has white space.
    """
    for one in ids:
        if one.split() != [one]:
            what = f"the id {one!r} of a {of} has white space" if one else f"a {of} has no id"
            raise BadInputError(
                f"{what}, and TREC's files part their fields by it; expected ids without. Give "
                "others in the data, or take --to results"
            )


def run_lines(qa_id: str, places: Ints, scores: Floats, names: Names, tag: str) -> Iterator[str]:
    """Yield the lines of one question.

    Args:
        qa_id: the id of the question.
        places: int64 (k,), the documents in the order of trec_eval.
        scores: float32 (k,), their scores.
        names: the names of the documents.
        tag: the name of the run.
    """
    for rank, (place, score) in enumerate(zip(places.tolist(), scores, strict=True), 1):
        digits = np.format_float_positional(score, unique=True, trim="0")
        yield f"{qa_id} Q0 {names.ids[place]} {rank} {digits} {tag}\n"


def qrels_lines(qa_id: str, ids: Sequence[str], grades: Sequence[float] | None) -> Iterator[str]:
    """Yield the judgements of one question.

    Args:
        qa_id: the id of the question.
        ids: the ids of its ground truths.
        grades: their grades; None means that each is 1.

    Raises:
        BadInputError: a grade is not a whole number.
    """
    for one, grade in zip(ids, [1.0] * len(ids) if grades is None else grades, strict=True):
        if not float(grade).is_integer():
            raise BadInputError(
                f"the grade of {one!r} for the question {qa_id!r} is {grade}, and a judgement of "
                "TREC is a whole number; multiply all grades in the data, or take --to results"
            )
        yield f"{qa_id} 0 {one} {int(grade)}\n"
