"""Held-out questions without the ground truths that training has seen.

Where groups of questions had to be cut, a held-out question can have a ground-truth chunk of a
question that was trained on. A model that remembers this chunk would look better than it is. So
such chunks are neither right nor wrong for the question: they are left out of its ranking, as
copies of a ground truth are. A question without any other ground truth is not measured.

Near-duplicates of a chunk that was seen count as seen, since they join groups too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from stage2.data.splits import Links, Placed
from stage2.utils.arrays import Ints, Mask


@dataclass(frozen=True)
class Unseen:
    """Some of n questions with g ground truths in total, as they are measured.

    Attributes:
        asked: int64, the rows of the questions that were held out.
        rows: int64, those that are measured: they have a ground truth that was not seen.
        aside: bool (g,), the ground truths of `rows` that were seen; None if there are none.
        seen: the number of ground truths of `asked` that were seen.
    """

    asked: Ints
    rows: Ints
    aside: Mask | None = None
    seen: int = 0

    @property
    def gone(self) -> int:
        """The number of questions that are not measured."""
        return len(self.asked) - len(self.rows)

    @property
    def or_all(self) -> Unseen:
        """These questions, or all with all their ground truths if none could be measured."""
        return self if len(self.rows) else Unseen(self.asked, self.asked)

    def facts(self) -> dict[str, int]:
        """Return the counts for `run.json` and `comparison.json`; {} if nothing was seen."""
        if not self.seen:
            return {}
        return {"ground_truths_seen": self.seen, "questions_with_no_other": self.gone}


def unseen(links: Links | None, asked: Ints, seen: Collection[int]) -> Unseen:
    """Find the questions with ground truths that were not seen.

    Args:
        links: the ground truths of all questions; None if they are not known.
        asked: int64, the rows of the questions that were held out.
        seen: the indices in `links` of the chunks that were seen.
    """
    if links is None or not seen:
        return Unseen(asked, asked)
    starts = np.cumsum([0, *map(len, links.chunks)])
    aside, rows, count = np.zeros(starts[-1], np.bool_), [], 0
    for row in asked.tolist():
        marked = [chunk in seen for chunk in links.chunks[row]]
        count += sum(marked)
        if not all(marked):
            aside[starts[row] : starts[row + 1]] = marked
            rows.append(row)
    return Unseen(asked, np.asarray(rows, np.int64), aside if aside.any() else None, count)


def unseen_side(placed: Placed, side: str) -> Unseen:
    """Find the measured questions of the side `dev` or `test`."""
    asked = placed.parts[("train", "dev", "test").index(side)]
    return unseen(placed.groups.links, asked, placed.seen.get(side, ()))


def unseen_fold(folds: Placed, asked: Ints, others: Ints) -> Unseen:
    """Find the measured questions of a fold, where the questions at `others` were seen."""
    links = folds.groups.links
    return unseen(links, asked, () if links is None else links.shared(others, asked))


def unseen_folds(folds: Placed) -> Unseen:
    """Find the measured questions of all folds, each of which is held out from all others."""
    everyone = np.arange(len(folds.groups.names))
    return _joined([unseen_fold(folds, rows, np.setdiff1d(everyone, rows)) for rows in folds.parts])


def _joined(parts: Sequence[Unseen]) -> Unseen:
    masks = [part.aside for part in parts if part.aside is not None]
    return Unseen(
        asked=np.sort(np.concatenate([part.asked for part in parts])),
        rows=np.sort(np.concatenate([part.rows for part in parts])),
        aside=np.logical_or.reduce(masks) if masks else None,
        seen=sum(part.seen for part in parts),
    )
