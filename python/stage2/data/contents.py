"""The content of a data set, the same for all formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stage2._core import Annotations, Dataset, Samples

# Ids of the questions of each side, by its name.
Sides = Mapping[str, Sequence[str]]

SIDES = ("train", "dev", "test")


@dataclass(frozen=True)
class Contents:
    """The content of a data set.

    Attributes:
        dataset: its questions and the corpus that answers them; None where it has no corpus.
        samples: that are constructed already, where it has no corpus.
        annotations: of the entities in its texts; None where there are none.
        sides: that its files tell apart; None where they tell none.
        seen_chunks: by side, the chunks that do not count as ground truths of its questions.
        judgements: names of the files that say what answers the questions, where they stand apart.
    """

    dataset: Dataset | None = None
    samples: Samples | None = None
    annotations: Annotations | None = None
    sides: Sides | None = None
    seen_chunks: Sides = field(default_factory=dict)
    judgements: tuple[str, ...] = ()
