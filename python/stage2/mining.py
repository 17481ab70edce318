"""Score, rank, select: which questions does the model get wrong?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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

# Scores of questions by corpus, float64, that are looked at together: 32 MB.
_BLOCK_SCORES = 1 << 22


@dataclass(frozen=True)
class Ranked:
    """How n lists rank their ground truths; their scores need not be kept for that.

    Attributes:
        ranking: expected ranks and metrics of the core, a list a question.
        lengths: int64 (n,), candidates of each list.
        by_entity: int64 (n,), how many of each list's pairs are compared by their entities; the
            others are by sentence, since a side has no entity left.
    """

    ranking: _core.Ranking
    lengths: Ints
    by_entity: Ints

    @classmethod
    def concat(cls, parts: Sequence[Ranked]) -> Ranked:
        """Give the lists of all parts, one after another; of no part, no list."""
        none = np.empty(0, np.int64)
        return Ranked(
            _core.Ranking.concat([part.ranking for part in parts]),
            np.concatenate([none, *(part.lengths for part in parts)]),
            np.concatenate([none, *(part.by_entity for part in parts)]),
        )

    def take(self, rows: Sequence[int] | Ints) -> Ranked:
        """Select some of the lists, in the given order."""
        index = np.asarray(rows, np.int64)
        return Ranked(self.ranking.take(index), self.lengths[index], self.by_entity[index])

    def pairs(self, rows: Sequence[int] | Ints | None = None) -> dict[str, int]:
        """Count the pairs compared by entity and by fallback, of some of the lists or all."""
        lists = np.arange(len(self.lengths)) if rows is None else np.asarray(rows, np.int64)
        by_entity = int(self.by_entity[lists].sum())
        return {"entity": by_entity, "fallback": int(self.lengths[lists].sum()) - by_entity}

    def metrics(self, rows: Sequence[int] | Ints) -> dict[str, Any]:
        """Metrics of some of the lists, Top-1/3/5 among them."""
        return self.ranking.take(np.asarray(rows, np.int64)).metrics(TOPK)

    def hard(self, topk: int) -> Ints:
        """Rows of the questions whose ground truth ranks below `topk`, int64, rising."""
        return np.flatnonzero(self.ranking.rank > topk).astype(np.int64)


@dataclass(frozen=True)
class Scored(Ranked):
    """Ranked lists with their scores.

    Attributes:
        scores: float32 (m,), similarity of each candidate to its question.
        offsets: int64 (n + 1,), where each list starts.
        num_relevant: int64 (n,), ground truths at the head of each list.
    """

    scores: Floats
    offsets: Ints
    num_relevant: Ints

    @classmethod
    def of(cls, scores: Floats, offsets: Ints, num_relevant: Ints, by_entity: Ints) -> Scored:
        """Rank scored lists."""
        ranking = _core.rank(scores, offsets, num_relevant)
        lengths = np.diff(offsets).astype(np.int64)
        return cls(ranking, lengths, by_entity, scores, offsets, num_relevant)

    def ranked(self) -> Ranked:
        """The same without the scores."""
        return Ranked(self.ranking, self.lengths, self.by_entity)


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


def score_corpus(lists: RankingLists, embeddings: Embeddings) -> Ranked:
    """Rank each question's ground truths among all N contexts of the samples, copies of them aside.

    The scores of a block of questions are in memory at a time, never all n × N.
    """
    return Ranked.concat([part.ranked() for part in corpus_blocks(lists, embeddings)])


def corpus_blocks(lists: RankingLists, embeddings: Embeddings) -> Iterator[Scored]:
    """Score all N contexts of the samples for each question, a block of questions at a time.

    Yields:
        Lists of N, ground truths first, the others in the order of the corpus. A context with the
        text of a ground truth, under another id, is no answer that is wrong: it is left out.
    """
    corpus = embeddings.take(lists.corpus)
    size, texts = len(corpus), lists.same_text[lists.corpus]
    has_copies = len(np.unique(texts)) < size
    step = max(1, _BLOCK_SCORES // max(1, size))
    for start in range(0, len(lists), step):
        rows = np.arange(start, min(start + step, len(lists)))
        block = embeddings.take(lists.questions[rows])
        scores = similarity(block, corpus)
        parts, by_entity = [], np.zeros(len(rows), np.int64)
        for place, own in enumerate(scores):
            relevant = _relevant(lists, int(rows[place]))
            others = np.ones(size, np.bool_)
            others[relevant] = False
            if has_copies:
                others &= ~np.isin(texts, texts[relevant])
            ranked = np.concatenate([relevant, np.flatnonzero(others)])
            parts.append(own[ranked])
            if block.has_entity[place]:
                by_entity[place] = corpus.has_entity[ranked].sum()
        offsets = np.cumsum([0, *map(len, parts)]).astype(np.int64)
        yield Scored.of(np.concatenate(parts), offsets, lists.num_relevant[rows], by_entity)


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
