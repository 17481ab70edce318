"""The part of a large corpus among which candidates for shipping are ranked on the dev questions.

Each epoch, and each point of the way to it, embeds all that dev questions are ranked among. Above
`DEV_CORPUS` chunks that is not the whole corpus but a part of it: the dev questions' ground truths
and what stage 1 has nearest to each of them. Those are the chunks that stage 1 is wrong about, so
that another model looks better there than it is: the best is shipped only if it beats stage 1 among
all chunks too. Test questions, and what is said of the model shipped, are always of all chunks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.evaluate import Evaluation
from stage2.evaluation.ranking import score_corpus
from stage2.mining.search import search_texts
from stage2.training.log import DEV_METRIC
from stage2.utils.arrays import Ints

# Chunks that dev questions are ranked among, at most: on a CPU they take a minute or so.
DEV_CORPUS = 5_000


@dataclass(frozen=True)
class Dev:
    """The questions that choose.

    Attributes:
        lists: with all that they are ranked among to choose.
        stage1: metrics of stage 1 on `lists`; None where they are not known yet.
        whole: with the whole corpus, where `lists` has a part of it; None where it has all.
        stage1_whole: dev metric of stage 1 on `whole`.
        chunks: of the whole corpus; 0 where there is none.
    """

    lists: RankingLists
    stage1: dict[str, Any] | None = None
    whole: RankingLists | None = None
    stage1_whole: float = 0.0
    chunks: int = 0

    def facts(self) -> dict[str, Any]:
        """What `run.json` says of it."""
        return {"questions": len(self.lists), "chunks": len(self.lists.corpus), "of": self.chunks}


def dev_of(before: Evaluation, rows: Ints, most: int = DEV_CORPUS) -> Dev:
    """The questions that choose, with a part of the corpus if it is large.

    Args:
        before: of stage 1 on all questions.
        rows: int64, those that choose.
        most: chunks that they are ranked among; more, where they have more ground truths.
    """
    lists = before.lists
    size, whole = len(lists.corpus), before.corpus or before.candidates
    if size <= most:
        return Dev(lists.subset(rows), whole.metrics(rows), chunks=size)
    chosen = lists.select(rows)
    part = chosen.among(_part(chosen, before, most))
    return Dev(
        lists=part.trimmed(),
        stage1=score_corpus(part, before.embeddings).metrics(np.arange(len(rows))),
        whole=lists.subset(rows),
        stage1_whole=float(whole.metrics(rows)[DEV_METRIC]),
        chunks=size,
    )


def _part(lists: RankingLists, before: Evaluation, most: int) -> Ints:
    """Ground truths, then of each question what stage 1 ranks first, second and so on.

    Returns:
        int64, rising: contexts.
    """
    place = np.arange(len(lists.contexts)) - np.repeat(lists.offsets[:-1], lists.lengths)
    relevant = lists.contexts[place < np.repeat(lists.num_relevant, lists.lengths)]
    # As many as could be needed if questions shared none; at least one that is not its own.
    depth = max(2, -(-most // max(1, len(lists))) + int(lists.num_relevant.max(initial=0)))
    nearest = search_texts(
        before.embeddings.take(lists.questions), before.embeddings.take(lists.corpus), depth
    )
    order = np.concatenate([relevant, nearest.rows.T.ravel()])
    _, first = np.unique(order, return_index=True)
    # All ground truths, and the nearest chunk of every question, whatever that comes to.
    least = len(np.unique(order[: len(relevant) + len(lists)]))
    return np.sort(order[np.sort(first)][: max(most, least)]).astype(np.int64)
