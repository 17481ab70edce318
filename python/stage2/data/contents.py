"""The content of a data set, the same for all formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stage2._core import Annotations, Dataset, Samples
from stage2.data.left_out import LeftOut

if TYPE_CHECKING:
    # It needs numpy, without which `stage2 prepare` starts.
    from stage2.data.given_scores import GivenScores


# Ids of the questions of each side, by its name.
Sides = Mapping[str, Sequence[str]]

SIDES = ("train", "dev", "test")


@dataclass(frozen=True)
class Contents:
    """The content of a data set.

    Attributes:
        dataset: its questions and the corpus that answers them; None where it has no corpus.
        samples: that are constructed already, where it has no corpus, or whose negatives it has.
        annotations: of the entities in its texts; None where there are none.
        sides: that its files tell apart; None where they tell none.
        seen_chunks: by side, the chunks that do not count as ground truths of its questions.
        judgements: names of the files that say what answers the questions, where they stand apart.
        notes: sentences for people on what was made, chosen or left out.
        rejected: rows that were left out by a reader in Python.
        scores: a teacher's scores of questions and chunks; None where it has none.
        held_out: texts that answer questions which a given split holds out from the command.
    """

    dataset: Dataset | None = None
    samples: Samples | None = None
    annotations: Annotations | None = None
    sides: Sides | None = None
    seen_chunks: Sides = field(default_factory=dict)
    judgements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    rejected: tuple[LeftOut, ...] = ()
    scores: GivenScores | None = None
    held_out: tuple[str, ...] = ()
