"""Score, rank, select: which questions does the model get wrong?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stage2 import _core
from stage2.arrays import Floats, Ints
from stage2.embeddings import Embeddings
from stage2.lists import RankingLists

# A similarity is written, ranked and compared at this precision. What torch's products leave to
# the number of threads is below it, and texts that are equal have equal vectors: no noise breaks
# a tie.
DECIMALS = 6

TOPK = (1, 3, 5)

# Rows of a question-by-corpus block of float64 scores: 64 MB at 10^6 chunks and 8 questions.
_BLOCK_SCORES = 1 << 23


@dataclass(frozen=True)
class Scored:
    """Lists with their scores.

    Attributes:
        scores: float32 (m,), similarity of each candidate to its question.
        offsets: int64 (n + 1,), where each list starts.
        num_relevant: int64 (n,), ground truths at the head of each list.
        ranking: expected ranks and metrics of the core, a list a question.
        by_entity: int64 (n,), how many of each list's pairs are compared by their entities; the
            others are by sentence, since a side has no entity left.
    """

    scores: Floats
    offsets: Ints
    num_relevant: Ints
    ranking: _core.Ranking
    by_entity: Ints

    @classmethod
    def of(cls, scores: Floats, offsets: Ints, num_relevant: Ints, by_entity: Ints) -> Scored:
        """Rank scored lists."""
        ranking = _core.rank(scores, offsets, num_relevant)
        return cls(scores, offsets, num_relevant, ranking, by_entity)

    def pairs(self, rows: Sequence[int] | Ints | None = None) -> dict[str, int]:
        """Count the pairs compared by entity and by fallback, of some of the lists or all."""
        lists = np.arange(len(self.num_relevant)) if rows is None else np.asarray(rows, np.int64)
        by_entity = int(self.by_entity[lists].sum())
        total = int(np.diff(self.offsets)[lists].sum())
        return {"entity": by_entity, "fallback": total - by_entity}

    def metrics(self, rows: Sequence[int] | Ints) -> dict[str, Any]:
        """Metrics of some of the lists, Top-1/3/5 among them."""
        index = np.asarray(rows, np.int64)
        parts = [self.scores[self.offsets[row] : self.offsets[row + 1]] for row in index]
        offsets = np.cumsum([0, *map(len, parts)], dtype=np.int64)
        scores = np.concatenate([*parts, np.empty(0, np.float32)])
        return _core.rank(scores, offsets, self.num_relevant[index]).metrics(TOPK)

    def hard(self, topk: int) -> Ints:
        """Rows of the questions whose ground truth ranks below `topk`, int64, rising."""
        return np.flatnonzero(self.ranking.rank > topk).astype(np.int64)


def similarity(queries: Embeddings, contexts: Embeddings) -> Floats:
    """Similarity of every query to every context.

    The mean over all pairs of an entity of one and an entity of the other of the cosine of their
    vectors, which is the inner product of the means of their unit vectors; where a side has no
    entity, the cosine of the two sentence μ.

    Args:
        queries: n_q texts.
        contexts: n_c texts, of the same model.

    Returns:
        float32 (n_q, n_c).
    """
    by_entity = queries.has_entity[:, None] & contexts.has_entity[None, :]
    scores = queries.mu.astype(np.float64) @ contexts.mu.T.astype(np.float64)
    if by_entity.any():
        entity = queries.entity.astype(np.float64) @ contexts.entity.T.astype(np.float64)
        scores = np.where(by_entity, entity, scores)
    return _at_precision(scores)


def score(lists: RankingLists, embeddings: Embeddings) -> Scored:
    """Score each list's candidates and rank its ground truths.

    Args:
        lists: n questions with m candidates in all.
        embeddings: of `lists.tokens`.
    """
    question = np.repeat(lists.questions, lists.lengths)
    by_entity = embeddings.has_entity[question] & embeddings.has_entity[lists.candidates]
    left = np.where(by_entity[:, None], embeddings.entity[question], embeddings.mu[question])
    right = np.where(
        by_entity[:, None], embeddings.entity[lists.candidates], embeddings.mu[lists.candidates]
    )
    scores = _at_precision(np.einsum("md,md->m", left.astype(np.float64), right.astype(np.float64)))
    list_of = np.repeat(np.arange(len(lists)), lists.lengths)
    counts = np.bincount(list_of[by_entity], minlength=len(lists)).astype(np.int64)
    return Scored.of(scores, lists.offsets, lists.num_relevant, counts)


def score_corpus(lists: RankingLists, embeddings: Embeddings) -> Scored:
    """Rank each question's ground truths among all N contexts of the samples.

    Returns:
        Scores of n lists of N, ground truths first, the others in the order of the corpus.
    """
    corpus = embeddings.take(lists.corpus)
    size = len(corpus)
    step = max(1, _BLOCK_SCORES // max(1, size))
    parts: list[Floats] = []
    for start in range(0, len(lists), step):
        block = embeddings.take(lists.questions[start : start + step])
        for row, scores in enumerate(similarity(block, corpus), start):
            relevant = _relevant(lists, row)
            parts.append(np.concatenate([scores[relevant], np.delete(scores, relevant)]))
    scores = np.concatenate(parts) if parts else np.empty(0, np.float32)
    offsets = np.arange(len(lists) + 1, dtype=np.int64) * size
    by_entity = embeddings.has_entity[lists.questions] * int(corpus.has_entity.sum())
    return Scored.of(scores, offsets, lists.num_relevant, by_entity.astype(np.int64))


def evaluation_rows(
    lists: RankingLists, questions: Sequence[str], embeddings: Embeddings, scored: Scored
) -> Iterable[dict[str, Any]]:
    """The rows of `evaluation_results.json`: the reference's keys and types, and a few more."""
    order = _core.order(scored.scores, lists.offsets, lists.tie_keys)
    tau = _core.kendall_tau(scored.scores, lists.offsets)
    rank, ties = scored.ranking.rank, scored.ranking.ties
    success = {k: scored.ranking.success(k) for k in (1, 3, 5)}
    entity_count = embeddings.entity_count
    for row, question in enumerate(questions):
        part = slice(lists.offsets[row], lists.offsets[row + 1])
        predicted = order[part].tolist()
        relevant = range(int(lists.num_relevant[row]))
        metrics: dict[str, Any] = {
            "gt_position": 1 + min(predicted.index(place) for place in relevant),
        }
        for k in success:
            metrics[f"in_top_{k}"] = bool(rank[row] <= k)
        metrics["kendall_tau"] = float(tau[row])
        metrics["expected_rank"] = float(rank[row])
        for k, values in success.items():
            metrics[f"expected_top_{k}"] = float(values[row])
        metrics["ties"] = int(ties[row])
        yield {
            "qa_id": lists.qa_ids[row],
            "question": question,
            "predict_order": predicted,
            "ground_truth_order": list(range(len(predicted))),
            "similarities": {
                str(place): round(value, DECIMALS)
                for place, value in enumerate(scored.scores[part].tolist())
            },
            "consistency_metrics": metrics,
            "q_entities_count": int(entity_count[lists.questions[row]]),
            "c_entities_count": entity_count[lists.candidates[part]].tolist(),
        }


def _relevant(lists: RankingLists, row: int) -> Ints:
    start = lists.offsets[row]
    return lists.contexts[start : start + lists.num_relevant[row]]


def _at_precision(scores: npt.NDArray[np.float64]) -> Floats:
    return np.round(scores, DECIMALS).astype(np.float32)
