"""The part of a large corpus in which dev questions are ranked to choose a model.

Every candidate must embed all chunks in which dev questions are ranked. If the corpus has more than
`DEV_CORPUS` chunks, only a part is used: the ground truths of the dev questions and the chunks that
stage 1 finds nearest to them. Stage 1 is often wrong about these chunks, so other models look
better there than they are. For this reason the best candidate is shipped only if it beats stage 1
among all chunks too. Test questions and the shipped model are always measured on all chunks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.evaluate import Evaluation
from stage2.evaluation.ranking import TOPK, score_corpus
from stage2.mining.search import search_texts
from stage2.training.guard import Guard
from stage2.utils.arrays import Doubles, Ints, Mask

# The largest number of chunks in the part. A CPU embeds them in about a minute.
DEV_CORPUS = 5_000


@dataclass(frozen=True)
class LastEpoch:
    """The choice of an epoch without dev questions: training ends with it.

    Attributes:
        epoch: the number of epochs; a fraction ends at the nearest update in an epoch. The learning
            rate falls as if all epochs were to come.
    """

    epoch: float


@dataclass(frozen=True)
class Dev:
    """The dev questions, which choose the model.

    Attributes:
        lists: the questions with the chunks in which they are ranked to choose.
        stage1: the metrics of stage 1 on `lists`; None if not known yet.
        whole: the questions with the whole corpus if `lists` has a part of it, else None.
        stage1_ranks: float64 (n,), the reciprocal ranks of stage 1 on `lists`; None if not known
            yet.
        stage1_whole: float64 (n,), those on `whole`; None without it.
        chunks: the number of chunks in the whole corpus; 0 if there is no corpus.
        guards: the questions of other data on which the chosen model must not be worse.
    """

    lists: RankingLists
    stage1: dict[str, Any] | None = None
    whole: RankingLists | None = None
    stage1_ranks: Doubles | None = None
    stage1_whole: Doubles | None = None
    chunks: int = 0
    guards: tuple[Guard, ...] = ()

    def facts(self) -> dict[str, Any]:
        """Return the facts for `run.json`."""
        return {"questions": len(self.lists), "chunks": len(self.lists.corpus), "of": self.chunks}


def dev_of(
    before: Evaluation, rows: Ints, aside: Mask | None = None, most: int = DEV_CORPUS
) -> Dev:
    """Select the dev questions, with a part of the corpus if it is large.

    Args:
        before: the evaluation of stage 1 on all questions.
        rows: int64, the rows of the dev questions.
        aside: bool (g,), the ground truths of all questions that do not count; None if all count.
        most: the largest number of chunks in the part, unless there are more ground truths.
    """
    lists = before.lists.setting_aside(aside)
    size, whole = len(lists.corpus), (before.corpus or before.candidates).without(aside)
    if size <= most:
        return Dev(
            lists.subset(rows),
            whole.metrics(rows),
            stage1_ranks=whole.ranking.reciprocal_rank[rows],
            chunks=size,
        )
    chosen = lists.select(rows)
    part = chosen.among(_part(chosen, before, most))
    ranking = score_corpus(part, before.embeddings).without(part.truths_aside).ranking
    return Dev(
        lists=part.trimmed(),
        stage1=ranking.metrics(TOPK),
        whole=lists.subset(rows),
        stage1_ranks=ranking.reciprocal_rank,
        stage1_whole=whole.ranking.reciprocal_rank[rows],
        chunks=size,
    )


def _part(lists: RankingLists, before: Evaluation, most: int) -> Ints:
    """Choose contexts: all ground truths, then what stage 1 ranks first, second and so on.

    Returns:
        Contexts, int64, rising.
    """
    place = np.arange(len(lists.contexts)) - np.repeat(lists.offsets[:-1], lists.lengths)
    relevant = lists.contexts[place < np.repeat(lists.num_relevant, lists.lengths)]
    # This suffices even if questions share no context, and finds a wrong one for each question.
    depth = max(2, -(-most // max(1, len(lists))) + int(lists.num_relevant.max(initial=0)))
    nearest = search_texts(
        before.embeddings.take(lists.questions), before.embeddings.take(lists.corpus), depth
    )
    order = np.concatenate([relevant, nearest.rows.T.ravel()])
    _, first = np.unique(order, return_index=True)
    # All ground truths and the nearest chunk of every question are always kept.
    least = len(np.unique(order[: len(relevant) + len(lists)]))
    return np.sort(order[np.sort(first)][: max(most, least)]).astype(np.int64)
