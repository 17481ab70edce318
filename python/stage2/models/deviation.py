"""The loss of a model in another form, measured by its vectors, its order and its MRR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stage2._core import rank
from stage2.encoding.similarity import cross_similarity
from stage2.encoding.vectors import Distance, without_entities
from stage2.models.fidelity import Read
from stage2.utils.arrays import Floats, Ints
from stage2.utils.errors import RunFailedError
from stage2.variants import Bounds


@dataclass(frozen=True)
class HeldOut:
    """Questions with their candidates, by which two forms of a model are compared.

    Attributes:
        name: where the questions come from, for people.
        questions: the n questions.
        documents: the texts of the candidates, each once.
        candidates: int64 (m,), the document of each candidate; ground truths begin each list.
        offsets: int64 (n + 1,), where each list starts.
        num_relevant: int64 (n,), the number of ground truths in each list.
    """

    name: str
    questions: Sequence[str]
    documents: Sequence[str]
    candidates: Ints
    offsets: Ints
    num_relevant: Ints


@dataclass(frozen=True)
class Deviation:
    """How far a form of a model is from the model.

    Attributes:
        name: where the questions come from.
        num_questions: the number of questions.
        num_documents: the number of documents.
        difference: the largest difference of a value of a vector, as `Bounds.difference`.
        spearman: the rank correlation of each question's scores of all documents, their mean.
        same_first: the share of questions with the same first document among all.
        mrr: the MRR among the candidates, of the model and of the form.
    """

    name: str
    num_questions: int
    num_documents: int
    difference: float
    spearman: float
    same_first: float
    mrr: tuple[float, float]


def measure(
    model: Read, form: Read, held_out: HeldOut, distance: Distance | None = None
) -> Deviation:
    """Embed questions and documents with a model and with another form of it, and compare.

    Args:
        model: a function that embeds with the model.
        form: a function that embeds with the form, by the tool that it is for.
        held_out: the questions.
        distance: the distance by which vectors are compared; None means by inner product.

    Raises:
        RunFailedError: the form gives vectors of another width, or vectors that are not finite.
    """
    gap = 0.0
    wanted, found = (
        (read(held_out.questions, "query"), read(held_out.documents, "document"))
        for read in (model, form)
    )
    for ours, theirs in zip(wanted, found, strict=True):
        if theirs.shape != ours.shape or not np.isfinite(theirs).all():
            raise RunFailedError(
                f"the written model gives vectors of shape {theirs.shape}, or some that are not "
                f"finite; expected finite ones of {ours.shape}. It is not kept"
            )
        largest = max(1.0, float(np.abs(ours).max()))
        gap = max(gap, float(np.abs(theirs - ours).max()) / largest)
    before, after = (
        cross_similarity(*(replace(without_entities(side), distance=distance) for side in pair))
        for pair in (wanted, found)
    )
    return Deviation(
        held_out.name,
        len(held_out.questions),
        len(held_out.documents),
        gap,
        float(np.mean([_spearman(*pair) for pair in zip(before, after, strict=True)])),
        float(np.mean(before.argmax(axis=1) == after.argmax(axis=1))),
        (_mrr(before, held_out), _mrr(after, held_out)),
    )


def check_bounds(found: Deviation, bounds: Bounds, name: str) -> None:
    """Refuse a form that is further from its model than its bounds.

    Raises:
        RunFailedError: it is. The message says by what.
    """
    lost = found.mrr[0] - found.mrr[1]
    problems = [
        *([f"values of vectors differ by up to {found.difference:.1e} (at most "
           f"{bounds.difference:g} is allowed)"] if found.difference > bounds.difference else []),
        *([f"the order of documents correlates by {found.spearman:.3f} (at least "
           f"{bounds.spearman:g})"] if found.spearman < bounds.spearman else []),
        *([f"MRR falls from {found.mrr[0]:.3f} to {found.mrr[1]:.3f} (by at most "
           f"{bounds.mrr:g})"] if lost > bounds.mrr else []),
    ]  # fmt: skip
    if problems:
        raise RunFailedError(
            f"{name}: run on {found.num_questions} questions, the written model is too far from "
            f"the one that it was made of: {'; '.join(problems)}. It is not kept"
        )


def _spearman(first: Floats, second: Floats) -> float:
    """Return the correlation of the ranks of two rows of scores; 1 for fewer than two scores."""
    if len(first) < 2:
        return 1.0
    ranks = [row.argsort(kind="stable").argsort() for row in (first, second)]
    return float(np.asarray(np.corrcoef(ranks))[0, 1])


def _mrr(scores: Floats, held_out: HeldOut) -> float:
    """Return the MRR of the ground truths among the candidates of each question."""
    row = np.repeat(np.arange(len(scores)), np.diff(held_out.offsets))
    chosen = np.ascontiguousarray(scores[row, held_out.candidates], np.float32)
    ranking = rank(chosen, held_out.offsets, held_out.num_relevant)
    return float(ranking.reciprocal_rank.mean())
