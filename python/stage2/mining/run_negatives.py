"""Hard negatives in the order of a run: what BM25 or any other engine found, and is wrong."""

from __future__ import annotations

import numpy as np

from stage2._core import select_negatives
from stage2.config import MiningConfig
from stage2.data.dataset import Dataset
from stage2.evaluation.run_ranks import RunScores, below
from stage2.mining.corpus import CorpusMining, rules_of
from stage2.utils.arrays import Floats, Ints


def mine_run(run: RunScores, dataset: Dataset, settings: MiningConfig) -> CorpusMining:
    """Select each question's negatives among what a run has for it, by the rules of mining.

    Raw ranks, margins and scores are those of the run. A ground truth that the run lacks has a
    score below all that it has, so that a margin then leaves no negative.

    Args:
        run: what the run has for the questions of `dataset`, as places of its chunks.
        dataset: the questions and the corpus.
        settings: the settings `negatives`, `seed` and the rules of mining are used.
    """
    rules = rules_of(settings)
    rules.check()
    rows, offsets = np.asarray(dataset.relevant), np.asarray(dataset.relevant_offsets)
    groups, size = np.asarray(dataset.first_of_text), dataset.num_chunks
    width = 1 + max((len(found) for found in run.contexts), default=0)
    nearest = np.empty((len(offsets) - 1, width), np.int64)
    scores = np.empty(nearest.shape, np.float32)
    positive_scores = np.empty(len(rows), np.float32)
    ranks = np.empty(len(nearest))
    for i, (found, own) in enumerate(zip(run.contexts, run.scores, strict=True)):
        part = slice(offsets[i], offsets[i + 1])
        order = np.lexsort((found, -own))
        # A list that is too short ends with a ground truth, which is no negative and has no rank.
        nearest[i], scores[i] = rows[part][0], below(own, 1)
        nearest[i, : len(found)], scores[i, : len(found)] = found[order], own[order]
        positive_scores[part] = _scores_of(rows[part], found, own)
        ranks[i] = _rank(groups, rows[part], found, own)
    chosen, _, starts = select_negatives(
        (nearest, scores),
        (rows, positive_scores, offsets),
        groups,
        list(dataset.qa_ids),
        rules.within(size),
    )
    return CorpusMining(
        samples=dataset.with_negatives(chosen, starts),
        ranks=ranks,
        depth=min((len(found) for found in run.contexts), default=0),
        counts=np.diff(starts),
        chunks=size,
    )


def _scores_of(rows: Ints, found: Ints, scores: Floats) -> Floats:
    """Return the score of each ground truth; one that was not found stands below all that was."""
    own = np.full(len(rows), below(scores, 2), np.float32)
    for place, row in enumerate(rows):
        own[place] = scores[found == row].max(initial=own[place])
    return own


def _rank(groups: Ints, rows: Ints, found: Ints, scores: Floats) -> float:
    """Return the expected rank of the best ground truth among the other chunks.

    Chunks that answer the question do not count. It is infinity if the run has no ground truth.
    """
    own = scores[np.isin(found, rows)]
    if not len(own):
        return float("inf")
    best = own.max()
    others = scores[~np.isin(groups[found], groups[rows])]
    above, tied = int((others > best).sum()), int((others == best).sum())
    alike = int((own == best).sum())
    return above + (tied + alike + 1) / (alike + 1)
