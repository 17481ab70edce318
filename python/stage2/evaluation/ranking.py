"""Scores of candidates, ranks of ground truths, and the questions that a model gets wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from stage2._core import Ranking, kendall_tau
from stage2._core import order as order_lists
from stage2._core import rank as rank_lists
from stage2.encoding.embeddings import Embeddings
from stage2.encoding.ranking_lists import RankingLists
from stage2.encoding.similarity import (
    DECIMALS,
    at_precision,
    by_entity,
    pair_similarity,
    similarity,
)
from stage2.evaluation.corpus_counts import Copies, CorpusCounts, relevant, rows_of_a_block
from stage2.evaluation.truths import Truths
from stage2.utils.arrays import Floats, Ints, Mask, floats, ints, plain, whole
from stage2.utils.progress import Progress

TOPK = (1, 3, 5)

Grades = npt.NDArray[np.float64]

# The vectors of so many chunks are converted to float64 at a time: 50 MB at a width of 384.
_TILE = 1 << 14


@dataclass(frozen=True)
class Ranked:
    """The ranks of the ground truths in n lists, without the scores.

    Attributes:
        ranking: the expected ranks and metrics, from the core.
        lengths: int64 (n,), the number of candidates in each list.
        by_entity: int64 (n,), the number of candidates in each list that are compared by entities.
            The others are compared by sentence, because the question or the candidate has no
            entity.
        truths: the ground truths, and what ranks above each.
    """

    ranking: Ranking
    lengths: Ints
    by_entity: Ints
    truths: Truths

    @classmethod
    def of_truths(cls, truths: Truths, lengths: Ints, by_entity: Ints) -> Ranked:
        """Rank ground truths. The arguments are the attributes of the result."""
        return Ranked(truths.ranking(lengths), lengths, by_entity, truths)

    @classmethod
    def concat(cls, parts: Sequence[Ranked]) -> Ranked:
        """Join the lists of all parts. No parts give no lists."""
        none = np.empty(0, np.int64)
        return Ranked(
            Ranking.concat([part.ranking for part in parts]),
            np.concatenate([none, *(part.lengths for part in parts)]),
            np.concatenate([none, *(part.by_entity for part in parts)]),
            Truths.concat([part.truths for part in parts]),
        )

    def take(self, rows: Sequence[int] | Ints) -> Ranked:
        """Return the lists at `rows`, in that order."""
        index = np.asarray(rows, np.int64)
        return Ranked(
            self.ranking.take(index),
            self.lengths[index],
            self.by_entity[index],
            self.truths.take(index),
        )

    def without(self, dropped: Mask | None) -> Ranked:
        """Return the ranks in lists that lack some of their ground truths.

        These are then neither right nor wrong, as if they were not in the lists.

        Args:
            dropped: bool (g,), the ground truths that are left out; None leaves out nothing.

        Raises:
            ValueError: a list would have no ground truth left.
        """
        if dropped is None:
            return self
        truths = self.truths.without(dropped)
        if not truths.counts.all():
            raise ValueError("a list would have no ground truth left")
        gone = self.truths.counts - truths.counts
        entity_gone = np.bincount(
            self.truths.lists, dropped & self.truths.by_entity, len(self.lengths)
        )
        return Ranked.of_truths(
            truths, self.lengths - gone, self.by_entity - entity_gone.astype(np.int64)
        )

    def pairs(self, rows: Sequence[int] | Ints | None = None) -> dict[str, int]:
        """Count the pairs compared by entities and by fallback, in all lists or those at `rows`."""
        lists = np.arange(len(self.lengths)) if rows is None else np.asarray(rows, np.int64)
        by_entity = int(self.by_entity[lists].sum())
        return {"entity": by_entity, "fallback": int(self.lengths[lists].sum()) - by_entity}

    def metrics(self, rows: Sequence[int] | Ints, recall_at: Sequence[int] = ()) -> dict[str, Any]:
        """Return the metrics of the lists at `rows`, as `Ranking.metrics` does.

        Args:
            rows: int64, the lists.
            recall_at: the values of k for Recall@k.
        """
        return self.ranking.take(np.asarray(rows, np.int64)).metrics(TOPK, recall_at)

    def hard(self, topk: int) -> Ints:
        """Return the rows of the questions whose ground truth ranks below `topk`: int64, rising."""
        return np.flatnonzero(self.ranking.rank > topk).astype(np.int64)


@dataclass(frozen=True)
class Scored(Ranked):
    """Ranked lists with their scores.

    Attributes:
        scores: float32 (m,), the similarity of each candidate to its question.
        offsets: int64 (n + 1,), where each list starts.
        num_relevant: int64 (n,), the number of ground truths at the start of each list.
        both: bool (m,), whether each candidate is compared by entities.
        grades: float64 (m,), the grade of each candidate; None if there are no grades.
    """

    scores: Floats
    offsets: Ints
    num_relevant: Ints
    both: Mask
    grades: Grades | None = None

    @classmethod
    def of(
        cls,
        scores: Floats,
        offsets: Ints,
        num_relevant: Ints,
        both: Mask,
        grades: Grades | None = None,
    ) -> Scored:
        """Rank lists by their scores. The arguments are the attributes of the result."""
        if grades is None:
            ranking = rank_lists(scores, offsets, num_relevant)
        else:
            ranking = rank_lists(scores, offsets, relevance=grades)
        lengths = np.diff(offsets).astype(np.int64)
        list_of = np.repeat(np.arange(len(lengths)), lengths)
        by_entity = np.bincount(list_of[both], minlength=len(lengths)).astype(np.int64)
        truths = _truths(scores, offsets, num_relevant, both, grades)
        return cls(ranking, lengths, by_entity, truths, scores, offsets, num_relevant, both, grades)

    def ranked(self) -> Ranked:
        """Return the same ranks without the scores."""
        return Ranked(self.ranking, self.lengths, self.by_entity, self.truths)


def _truths(
    scores: Floats, offsets: Ints, num_relevant: Ints, both: Mask, grades: Grades | None
) -> Truths:
    """Count what ranks above each ground truth; the arguments are those of `Scored.of`."""
    starts = np.concatenate([[0], np.cumsum(num_relevant)]).astype(np.int64)
    first, lengths = offsets[:-1], np.diff(offsets)
    above, equal = np.zeros((2, starts[-1]), np.int64)
    for place in range(int(num_relevant.max(initial=0))):
        has = num_relevant > place
        own = np.repeat(scores[first + np.where(has, place, 0)], lengths)
        for found, counted in ((above, scores > own), (equal, scores == own)):
            # No list is empty.
            found[starts[:-1][has] + place] = np.add.reduceat(counted, first, dtype=np.int64)[has]
    lists = np.repeat(np.arange(len(first)), num_relevant)
    index = first[lists] + np.arange(starts[-1]) - starts[lists]
    return Truths(starts, above, equal, both[index], None if grades is None else grades[index])


def score(lists: RankingLists, embeddings: Embeddings) -> Scored:
    """Score each list's candidates and rank its ground truths.

    Args:
        lists: n questions with m candidates in total.
        embeddings: the vectors of `lists.tokens`.
    """
    question = np.repeat(lists.questions, lists.lengths)
    both = by_entity(embeddings.has_entity[question], embeddings.has_entity[lists.candidates])
    scores = _pairs(embeddings, question, lists.candidates)
    return Scored.of(scores, lists.offsets, lists.num_relevant, both, lists.grades)


def score_corpus(
    lists: RankingLists, embeddings: Embeddings, progress: Progress | None = None
) -> Ranked:
    """Rank each question's ground truths among all N contexts of the samples.

    Copies of a ground truth under other ids do not count. For each ground truth the contexts with a
    higher score and those with an equal score are counted, so only a block of scores is in memory
    at a time.

    Args:
        lists: n questions, with a corpus.
        embeddings: the vectors of `lists.tokens`; they may be mapped from a file.
        progress: called after each tile of the corpus with the share of it that is done, as a
            number of questions, and with n.
    """
    size, counts = len(lists.corpus), CorpusCounts(lists)
    own = _pairs(embeddings, lists.questions[counts.questions], lists.corpus[counts.contexts])
    # Each tile is scored for all questions before the next, so that it is converted only once.
    for first in range(0, size, _TILE):
        tile = embeddings.take(lists.corpus[first : first + _TILE])
        for part in counts.blocks(len(tile)):
            rows = lists.questions[counts.rows(part)]
            # The matrix product and the product of a pair can differ in the last bits, and then
            # round differently. So a ground truth gets the score that it is compared with.
            counts.add(part, first, similarity(embeddings.take(rows), tile), own[part])
        if progress is not None:
            progress(int(len(lists) * min(1.0, (first + _TILE) / size)), len(lists))
    has_entity = embeddings.has_entity[lists.corpus]
    copied, copies = counts.copies.of_questions(0, len(lists))
    of_copies = np.bincount(copied, has_entity[copies], len(lists)).astype(np.int64)
    asked = embeddings.has_entity[lists.questions]
    with_entity = asked * (int(has_entity.sum()) - of_copies)
    both = by_entity(asked[counts.questions], has_entity[counts.contexts])
    return Ranked.of_truths(counts.truths(both), counts.lengths, with_entity)


def corpus_blocks(lists: RankingLists, embeddings: Embeddings) -> Iterator[Scored]:
    """Score all N contexts of the samples for each question, a block of questions at a time.

    Args:
        lists: the questions, with a corpus.
        embeddings: the vectors of `lists.tokens`.

    Yields:
        The lists of a block of questions: ground truths first, the other contexts in the order of
        the corpus. Copies of a ground truth under other ids are left out, as they are not wrong.
    """
    size, copies = len(lists.corpus), Copies.of(lists)
    has_entity = embeddings.has_entity[lists.corpus]
    for rows, scores in _score_blocks(lists, embeddings):
        asked = embeddings.has_entity[lists.questions[rows]]
        parts, grades, both = [], [], []
        for place, (row, own) in enumerate(zip(rows.tolist(), scores, strict=True)):
            own_contexts = relevant(lists, row)
            others = np.ones(size, np.bool_)
            others[own_contexts] = False
            others[copies.columns[copies.starts[row] : copies.starts[row + 1]]] = False
            ranked = np.concatenate([own_contexts, np.flatnonzero(others)])
            parts.append(own[ranked])
            if lists.grades is not None:
                grade = np.zeros(len(ranked))
                count = len(own_contexts)
                grade[:count] = lists.grades[lists.offsets[row] :][:count]
                grades.append(grade)
            both.append(by_entity(asked[place], has_entity[ranked]))
        offsets = np.cumsum([0, *map(len, parts)]).astype(np.int64)
        yield Scored.of(
            np.concatenate(parts),
            offsets,
            lists.num_relevant[rows],
            np.concatenate(both),
            np.concatenate(grades) if grades else None,
        )


def best_of_corpus(
    lists: RankingLists, embeddings: Embeddings, keys: Ints, depth: int
) -> Iterator[tuple[Ints, Floats]]:
    """Find the contexts of the samples that score highest for each question.

    Copies of a ground truth under other ids are left out. Of equal scores the context with the
    larger key comes first. A ground truth has the score by which `score_corpus` ranks it.

    Args:
        lists: n questions, with a corpus of N contexts.
        embeddings: the vectors of `lists.tokens`.
        keys: int64 (N,), all different.
        depth: the largest number of contexts for a question.

    Yields:
        For each question the places of contexts in the corpus and their scores, int64 and float32.
    """
    copies = Copies.of(lists)
    for rows, scores in _score_blocks(lists, embeddings):
        for row, found in zip(rows.tolist(), scores, strict=True):
            kept = np.ones(len(found), np.bool_)
            kept[copies.columns[copies.starts[row] : copies.starts[row + 1]]] = False
            places = np.flatnonzero(kept)
            if len(places) > depth:
                lowest = np.partition(found[places], -depth)[-depth]
                places = places[found[places] >= lowest]
            places = places[np.lexsort((-keys[places], -found[places]))][:depth]
            yield places, found[places]


def _score_blocks(lists: RankingLists, embeddings: Embeddings) -> Iterator[tuple[Ints, Floats]]:
    """Yield the rows of some questions, and their scores of all contexts: float32 (rows, N)."""
    step = rows_of_a_block(len(lists.corpus))
    for start in range(0, len(lists), step):
        rows = np.arange(start, min(start + step, len(lists)))
        yield rows, corpus_scores(lists, embeddings, rows)


def corpus_scores(lists: RankingLists, embeddings: Embeddings, rows: Ints) -> Floats:
    """Score all N contexts for the questions at `rows`: float32 (rows, N).

    A ground truth has the score by which `score_corpus` ranks it.
    """
    size = len(lists.corpus)
    block = embeddings.take(lists.questions[rows])
    scores = np.empty((len(rows), size), np.float32)
    for first in range(0, size, _TILE):
        tile = embeddings.take(lists.corpus[first : first + _TILE])
        scores[:, first : first + _TILE] = similarity(block, tile)
    for found, row in zip(scores, rows.tolist(), strict=True):
        own = relevant(lists, row)
        asked = np.full(len(own), lists.questions[row])
        found[own] = _pairs(embeddings, asked, lists.corpus[own])
    return scores


def evaluation_rows(
    lists: RankingLists, questions: Sequence[str], embeddings: Embeddings, scored: Scored
) -> Iterable[dict[str, Any]]:
    """Yield the rows of `evaluation_results.json`, with all keys of the reference and a few more.

    Args:
        lists: n questions with their candidates.
        questions: the texts of the questions.
        embeddings: the vectors of `lists.tokens`.
        scored: the scores and ranks of `lists`.
    """
    order = order_lists(scored.scores, lists.offsets, lists.tie_keys)
    tau = kendall_tau(scored.scores, lists.offsets)
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


def _pairs(embeddings: Embeddings, left: Ints, right: Ints) -> Floats:
    """Compute the similarity of pairs of texts.

    Args:
        embeddings: the vectors of the texts.
        left: int64 (m,), the rows of the first texts.
        right: int64 (m,), the rows of the second texts.

    Returns:
        float32 (m,).
    """
    scores = np.empty(len(left), np.float32)
    step = rows_of_a_block(embeddings.mu.shape[1])
    for start in range(0, len(left), step):
        part = slice(start, start + step)
        sides = (embeddings.at(rows[part]).in_float64() for rows in (left, right))
        scores[part] = at_precision(pair_similarity(*sides))
    return scores


def rank(
    scores: npt.ArrayLike,
    offsets: npt.ArrayLike,
    num_relevant: int | npt.ArrayLike | None = None,
    *,
    relevance: npt.ArrayLike | None = None,
    ties: Literal["expected", "trec_eval"] = "expected",
    tie_keys: npt.ArrayLike | None = None,
) -> Ranking:
    """Rank lists of scored candidates.

    A tie is not a win: ranks and metrics are exact expectations over all orders of equal scores.
    With `ties="trec_eval"` they are the values of trec_eval and pytrec_eval, where of equal scores
    the document with the last name comes first.

    Args:
        scores: float32 (m,), the scores of n lists, one list after another.
        offsets: int64 (n + 1,), where each list starts.
        num_relevant: the number of relevant candidates, which stand at the start of each list: one
            number for all lists, or int64 (n,). Without it and `relevance`, it is 1.
        relevance: float64 (m,), the gain of each candidate in nDCG, and 0 if it is not relevant.
            The lists may have any order. Grades are used as gains, as in trec_eval; pass
            `2.0**grades - 1` for the steeper gains of web search.
        ties: `expected` or `trec_eval`.
        tie_keys: int64 (m,), for `trec_eval`: the places of the documents' names in the ascending
            order of their bytes. Without them, the names are taken to be in the given order.

    Raises:
        ValueError: the offsets do not fit, a list has no relevant candidate, a relevance is
            negative, a number is NaN or infinite, or a count or place is not a whole number.
    """
    if num_relevant is not None:
        plain("num_relevant", num_relevant)
        if np.ndim(num_relevant):
            num_relevant = ints("num_relevant", num_relevant)
        else:
            num_relevant = whole("num_relevant", np.asarray(num_relevant)[()], low=1)
    return rank_lists(
        floats("scores", scores),
        ints("offsets", offsets),
        num_relevant,
        None if relevance is None else floats("relevance", relevance, np.float64),
        ties,
        None if tie_keys is None else ints("tie_keys", tie_keys),
    )
