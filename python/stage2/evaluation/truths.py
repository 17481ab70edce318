"""The places of ground truths in their lists, from which ranks without some of them follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stage2._core import Ranking
from stage2.utils.arrays import Ints, Mask


@dataclass(frozen=True)
class Truths:
    """The g ground truths of n lists, and how many candidates of its list score above each.

    Attributes:
        starts: int64 (n + 1,), where the ground truths of each list start.
        above: int64 (g,), the number of candidates with a higher score.
        equal: int64 (g,), the number of candidates with the same score, itself included.
        by_entity: bool (g,), whether it is compared by entities.
        grades: float64 (g,), its grade; None if there are no grades.
    """

    starts: Ints
    above: Ints
    equal: Ints
    by_entity: Mask
    grades: npt.NDArray[np.float64] | None = None

    @property
    def counts(self) -> Ints:
        """The number of ground truths of each list: int64 (n,)."""
        return np.diff(self.starts)

    @property
    def lists(self) -> Ints:
        """The list of each ground truth: int64 (g,), rising."""
        return np.repeat(np.arange(len(self.starts) - 1), self.counts)

    def ranking(self, lengths: Ints) -> Ranking:
        """Return the expected ranks in lists of `lengths` candidates, int64 (n,)."""
        return Ranking.from_counts(self.above, self.equal, self.starts, lengths, self.grades)

    def take(self, rows: Ints) -> Truths:
        """Return the ground truths of the lists at `rows`, in that order."""
        counts = self.counts[rows]
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        index = np.arange(starts[-1]) + np.repeat(self.starts[rows] - starts[:-1], counts)
        return replace(self._at(index), starts=starts)

    def without(self, dropped: Mask) -> Truths:
        """Return the other ground truths, in lists that lack the `dropped` ones, bool (g,).

        No score is needed: of two ground truths of a list, the better one has fewer candidates
        above it, and equal ones have equally many.
        """
        lists = self.lists
        place = lists * (self.above.max(initial=0) + 1) + self.above
        run = np.unique(place, return_inverse=True)[1]  # by list, then best first
        gone = np.bincount(run, weights=dropped).astype(np.int64)
        better = (np.cumsum(gone) - gone)[run]  # those of earlier lists are counted too
        earlier = np.concatenate([[0], np.cumsum(dropped)])[self.starts]
        rest = replace(
            self,
            above=self.above - better + earlier[lists],
            equal=self.equal - gone[run],
        )
        kept = self.starts - earlier
        return replace(rest._at(np.flatnonzero(~dropped)), starts=kept.astype(np.int64))

    def _at(self, index: Ints) -> Truths:
        """Return the ground truths at `index`, with the starts of all."""
        return replace(
            self,
            above=self.above[index],
            equal=self.equal[index],
            by_entity=self.by_entity[index],
            grades=None if self.grades is None else self.grades[index],
        )

    @classmethod
    def concat(cls, parts: Sequence[Truths]) -> Truths:
        """Join the lists of all parts. Where some parts have grades, the others' are all 1."""
        none = np.empty(0, np.int64)
        counts = np.concatenate([none, *(part.counts for part in parts)])
        graded = any(part.grades is not None for part in parts)
        grades = [
            np.ones(len(part.above)) if part.grades is None else part.grades for part in parts
        ]
        return cls(
            starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            above=np.concatenate([none, *(part.above for part in parts)]),
            equal=np.concatenate([none, *(part.equal for part in parts)]),
            by_entity=np.concatenate([np.empty(0, np.bool_), *(part.by_entity for part in parts)]),
            grades=np.concatenate(grades) if graded else None,
        )
