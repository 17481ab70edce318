"""The headroom of a model: what BM25 and the fusion of both reach, and what is left to gain.

Reciprocal rank fusion of two systems is the score 1/(60 + r₁) + 1/(60 + r₂) of each context
(Cormack et al., SIGIR 2009), as in `fusion`, with ranks in the whole corpus. Equal scores have
their mean rank. A context that a system does not name, as a run does not name those below its
depth, adds nothing for that system.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.bm25 import Bm25
from stage2.evaluation.corpus_counts import CorpusCounts
from stage2.evaluation.fusion import RRF
from stage2.evaluation.ranking import Ranked
from stage2.utils.arrays import Doubles, Floats, Ints, Mask
from stage2.utils.progress import Progress

# The depths of Success@k, which the project calls Top-k, and of Recall@k.
DEPTHS, RECALL = (1, 3, 10), 100
# An answer is within reach of training when it ranks so high, but not first.
REACH = 100

# A function of the places of some questions, int64 (rows,), rising without gaps. It returns the
# scores of all N contexts by a system, float32 (rows, N), −inf for a context that it does not name.
Scorer: TypeAlias = Callable[[Ints], Floats]


@dataclass(frozen=True)
class Beside:
    """Another ranking of n questions, and the contexts that come first in it.

    Attributes:
        bm25: the ranks by BM25.
        fusion: the ranks by the fusion of the system and BM25.
        first: for each question the places in the corpus of the contexts with the highest scores of
            the system, the best first: int64 (k,).
    """

    bm25: Ranked
    fusion: Ranked
    first: list[Ints]


def rank_beside(
    lists: RankingLists, scorer: Scorer, depth: int, progress: Progress | None = None
) -> Beside:
    """Rank n questions with a corpus by BM25, and by the fusion of it with a system.

    Only a block of scores is in memory at a time.

    Args:
        lists: the questions.
        scorer: the scores of the system. The arrays that it returns are changed.
        depth: the largest number of contexts in `Beside.first`.
        progress: called after each block with the number of questions done, and with n.
    """
    index, counts, fusion = Bm25(lists), CorpusCounts(lists), CorpusCounts(lists)
    best: list[Ints] = []
    for part in counts.blocks(len(lists.corpus)):
        rows = counts.rows(part)
        by_words, leading = index.of_questions(rows), scorer(rows)
        copied, copy = counts.copies.of_questions(int(rows[0]), int(rows[-1]) + 1)
        for scores in (by_words, leading):
            scores[copied - rows[0], copy] = -np.inf
        place = counts.questions[part] - rows[0], counts.contexts[part]
        fusion.add(part, 0, *_fused(leading, by_words, place))
        best += [_first(row, depth) for row in leading]
        counts.add(part, 0, by_words, by_words[place])
        if progress is not None:
            progress(int(rows[-1]) + 1, len(lists))
    return Beside(_ranked(counts, len(lists)), _ranked(fusion, len(lists)), best)


def chances(ranked: Ranked, topk: int) -> dict[str, Mask]:
    """Return which of n questions are hard, within reach and beyond it: bool (n,) each.

    `hard`: the best ground truth has an expected rank below `topk`. `first`: it is 1. `reach`: it
    is not first, but at most `REACH`: training can be expected to move it. `beyond`: it is lower.
    """
    rank = ranked.ranking.rank
    return {
        "hard": rank > topk,
        "first": rank <= 1,
        "reach": (rank > 1) & (rank <= REACH),
        "beyond": rank > REACH,
    }


def headroom(ranked: Ranked, topk: int) -> dict[str, Any]:
    """Return the counts and shares of `chances`, and the gain if all within reach came first.

    Args:
        ranked: the ranks of n questions in the corpus.
        topk: a question is hard below this rank.

    Returns:
        By name `count` and `share`; and `possible_gain`, the mean over all questions of 1 less the
        reciprocal rank where the answer is within reach, and of 0 elsewhere.
    """
    found = chances(ranked, topk)
    count = max(1, len(ranked.lengths))
    gain = np.where(found["reach"], 1 - ranked.ranking.reciprocal_rank, 0.0)
    facts: dict[str, Any] = {
        name: {"count": int(mask.sum()), "share": int(mask.sum()) / count}
        for name, mask in found.items()
    }
    return facts | {"topk": topk, "possible_gain": float(gain.sum() / count)}


def metrics(ranked: Ranked) -> dict[str, Any]:
    """Return the metrics of all questions, as `Ranking.metrics` does."""
    return ranked.ranking.metrics(DEPTHS, (RECALL,))


def _ranked(counts: CorpusCounts, size: int) -> Ranked:
    truths = counts.truths(np.zeros(len(counts.questions), np.bool_))
    return Ranked.of_truths(truths, counts.lengths, np.zeros(size, np.int64))


def _fused(left: Floats, right: Floats, place: tuple[Ints, Ints]) -> tuple[Floats, Floats]:
    """Fuse the scores of two systems, as far as the ranks of ground truths depend on them.

    A context can be above a ground truth with the fused score f only if one system ranks it above
    2/f − 60: the better rank of a context bounds its score. The others get −inf.

    Args:
        left: float32 (rows, N).
        right: float32 (rows, N).
        place: the row and the column of each of g ground truths.

    Returns:
        The fused scores, float32 (rows, N) and (g,).
    """
    fused = np.full(left.shape, -np.inf, np.float32)
    own = np.empty(len(place[0]), np.float32)
    starts = np.searchsorted(place[0], np.arange(len(left) + 1))
    width = left.shape[1]
    for row in range(len(left)):
        here = slice(starts[row], starts[row + 1])
        truths, scores = place[1][here], (left[row], right[row])
        ordered = tuple(map(np.sort, scores))
        of_truths = _reciprocals(scores, ordered, truths)
        own[here] = of_truths
        last = min(width, int(2 / of_truths.min() - RRF) + 1)
        limits = [one[width - last] for one in ordered]
        near = np.flatnonzero((scores[0] >= limits[0]) | (scores[1] >= limits[1]))
        fused[row, near] = _reciprocals(scores, ordered, near)
    return fused, own


def _reciprocals(
    scores: tuple[Floats, Floats], ordered: tuple[Floats, ...], columns: Ints
) -> Doubles:
    """Return the fused scores of some contexts: float64 (columns,).

    A context with a score of −inf is not named by that system, so that it adds nothing.
    """
    total = np.zeros(len(columns))
    for one, rising in zip(scores, ordered, strict=True):
        asked = one[columns]
        low, high = (np.searchsorted(rising, asked, side) for side in ("left", "right"))
        reciprocal = 1 / (RRF + len(rising) - (low + high - 1) / 2)
        total += np.where(np.isneginf(asked), 0.0, reciprocal)
    return total


def _first(scores: Floats, depth: int) -> Ints:
    """Return the places of the highest scores, the best first; of equal scores the first place."""
    depth = min(depth, len(scores))
    if not depth:
        return np.empty(0, np.int64)
    lowest = np.partition(scores, -depth)[-depth]
    places = np.flatnonzero((scores >= lowest) & np.isfinite(scores))
    return places[np.lexsort((places, -scores[places]))][:depth].astype(np.int64)
