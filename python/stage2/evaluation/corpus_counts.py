"""Ranks in a whole corpus, by counts of scores. Only a block of scores is in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.truths import Truths
from stage2.utils.arrays import Floats, Ints, Mask

# So many scores (questions × chunks) are in memory at a time; as float64 they take 32 MB.
_BLOCK_SCORES = 1 << 22


def rows_of_a_block(width: int) -> int:
    """Return how many rows of `width` numbers are in memory at a time, at least 1."""
    return max(1, _BLOCK_SCORES // max(1, width))


class CorpusCounts:
    """Counts for each ground truth the contexts that score above it, and those that score equally.

    The scores come in blocks, each of some questions and a part of the corpus. Each pair of a
    question and a context must come exactly once, in any order.

    Attributes:
        questions: int64 (g,), the question of each of the g ground truths, rising.
        contexts: int64 (g,), the place of each ground truth in the corpus.
        copies: the contexts that each question is not ranked against.
        lengths: int64 (n,), the number of contexts that each question is ranked against.
    """

    def __init__(self, lists: RankingLists) -> None:
        """Start with no counts for n questions with a corpus."""
        counts = lists.num_relevant
        self._starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._grades = None if lists.grades is None else lists.grades[lists.is_relevant]
        self.questions = np.repeat(np.arange(len(lists)), counts)
        place = np.arange(len(self.questions)) - np.repeat(self._starts[:-1], counts)
        self.contexts = lists.contexts[lists.offsets[self.questions] + place]
        self.copies = Copies.of(lists)
        self.lengths = len(lists.corpus) - self.copies.counts
        self._above, self._equal = np.zeros((2, len(self.questions)), np.int64)

    def blocks(self, width: int) -> Iterator[slice]:
        """Yield slices of ground truths, whole questions each, whose scores fit a block.

        Args:
            width: the number of contexts that are scored at a time.
        """
        most, starts = rows_of_a_block(width), self._starts
        start, end = 0, len(starts) - 1
        while start < end:
            stop = int(np.searchsorted(starts, starts[start] + most, "right")) - 1
            stop = min(max(stop, start + 1), end)
            yield slice(int(starts[start]), int(starts[stop]))
            start = stop

    def rows(self, part: slice) -> Ints:
        """Return the questions of a block: int64, rising without gaps."""
        return np.arange(self.questions[part.start], self.questions[part.stop - 1] + 1)

    def add(self, part: slice, first: int, scores: Floats, own: Floats) -> None:
        """Count the scores of a block.

        Args:
            part: the ground truths, a slice of `blocks`.
            first: the place in the corpus of the first context that was scored.
            scores: float32 (rows, contexts), one row for each question of `rows(part)`. It is
                changed.
            own: float32 (ground truths of `part`,), the score of each ground truth. It takes the
                place of the one in `scores`, which can differ in the last bits.
        """
        rows, width = self.rows(part), scores.shape[1]
        row, column = self.questions[part] - rows[0], self.contexts[part] - first
        here = (column >= 0) & (column < width)
        scores[row[here], column[here]] = own[here]
        copied, copy = self.copies.of_questions(int(rows[0]), int(rows[-1]) + 1)
        row_of_copy, copy = copied - rows[0], copy - first
        in_tile = (copy >= 0) & (copy < width)
        scores[row_of_copy[in_tile], copy[in_tile]] = -np.inf
        of_each, limit = scores[row], own[:, None]
        self._above[part] += (of_each > limit).sum(axis=1)
        self._equal[part] += (of_each == limit).sum(axis=1)

    def truths(self, by_entity: Mask) -> Truths:
        """Return what ranks above each ground truth, once every pair is counted.

        Args:
            by_entity: bool (g,), whether each ground truth is compared by entities.
        """
        return Truths(self._starts, self._above, self._equal, by_entity, self._grades)


@dataclass(frozen=True)
class Copies:
    """The contexts with the same text as a ground truth of a question, but with another id.

    They are not wrong answers, so a question is not ranked against them.

    Attributes:
        columns: int64 (c,), places in the corpus; those of question i are at
            `starts[i]:starts[i + 1]`.
        starts: int64 (n + 1,).
    """

    columns: Ints
    starts: Ints

    @property
    def counts(self) -> Ints:
        """The number of copies for each question: int64 (n,)."""
        return np.diff(self.starts)

    def of_questions(self, start: int, stop: int) -> tuple[Ints, Ints]:
        """Return the copies for the questions from `start` to before `stop`.

        Returns:
            The question and the place in the corpus of each copy: two int64 arrays.
        """
        questions = np.repeat(np.arange(start, stop), self.counts[start:stop])
        return questions, self.columns[self.starts[start] : self.starts[stop]]

    @classmethod
    def of(cls, lists: RankingLists) -> Copies:
        """Find the copies in the corpus of `lists`."""
        texts = lists.tokens.same_text[lists.corpus]
        order = np.argsort(texts, kind="stable")
        ordered = texts[order]
        found: list[Ints] = []
        if len(order) and (ordered[1:] == ordered[:-1]).any():
            for row in range(len(lists)):
                own = relevant(lists, row)
                first, last = (
                    np.searchsorted(ordered, np.unique(texts[own]), side)
                    for side in ("left", "right")
                )
                alike = [order[start:stop] for start, stop in zip(first, last, strict=True)]
                found.append(np.setdiff1d(np.concatenate(alike), own))
        counts = list(map(len, found)) or [0] * len(lists)
        return cls(
            np.concatenate([np.empty(0, np.int64), *found]).astype(np.int64),
            np.cumsum([0, *counts]).astype(np.int64),
        )


def relevant(lists: RankingLists, row: int) -> Ints:
    """Return the places in the corpus of a question's ground truths: int64."""
    start = lists.offsets[row]
    return lists.contexts[start : start + lists.num_relevant[row]]
