"""Ranks by the run of any system, which names for each question some documents with scores.

A run ends at some depth. A context that it lacks stands below all that it has, and a ground truth
that it lacks below every other context: nobody saw it. So a run is never credited with a ground
truth that it did not return, as it is not in trec_eval. There such a ground truth adds exactly
nothing to a metric; here it adds what the last place of the list adds, at most 1/N to the MRR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stage2._core import Samples
from stage2.encoding.embeddings import Embeddings
from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.corpus_counts import CorpusCounts
from stage2.evaluation.evaluate import Evaluation
from stage2.evaluation.ranking import Ranked, Scored
from stage2.utils.arrays import Floats, Ints
from stage2.utils.progress import Progress

# A step below the lowest score, as a share of it, must be seen in float32.
_LEAST_STEP = 2.0**-20


@dataclass(frozen=True)
class RunScores:
    """The scores of a run for the n questions of a data set.

    Attributes:
        contexts: for each question the places in `Samples.contexts` of what was found: int64 (k,).
        scores: for each question the scores: float32 (k,).
    """

    contexts: Sequence[Ints]
    scores: Sequence[Floats]

    @classmethod
    def of(
        cls, samples: Samples, found: Mapping[str, tuple[Sequence[str], Floats]]
    ) -> tuple[RunScores, list[str]]:
        """Look up the documents of a run.

        A document that is none of the contexts is left out. Contexts with one id share its score.

        Args:
            samples: the questions and the contexts.
            found: by the id of a question, the ids of its documents, and their scores.

        Returns:
            The scores; and the ids of the documents that were left out, in the order of the file.
        """
        places: dict[str, list[int]] = {}
        for place, chunk_id in enumerate(samples.context_ids):
            places.setdefault(chunk_id, []).append(place)
        unknown: dict[str, None] = {}
        contexts, scores = [], []
        for qa_id in samples.qa_ids:
            documents, own = found.get(qa_id, ((), np.empty(0, np.float32)))
            rows, kept = [], []
            for document, score in zip(documents, own.tolist(), strict=True):
                here = places.get(document)
                if here is None:
                    unknown[document] = None
                    continue
                rows += here
                kept += [score] * len(here)
            contexts.append(np.asarray(rows, np.int64))
            scores.append(np.asarray(kept, np.float32))
        return cls(contexts, scores), list(unknown)

    def of_corpus(self, rows: Ints, size: int) -> Floats:
        """Return the scores of all contexts for the questions at `rows`: float32 (rows, size).

        A context that the run lacks has −inf.
        """
        found = np.full((len(rows), size), -np.inf, np.float32)
        for place, row in enumerate(rows.tolist()):
            found[place, self.contexts[row]] = self.scores[row]
        return found


def below(scores: Floats, steps: int) -> float:
    """Return a score below all scores of a question, which float32 tells from them.

    Args:
        scores: float32 (k,), what the run has for the question.
        steps: 1 for a context that the run lacks, 2 for a ground truth that it lacks.
    """
    lowest = float(scores.min()) if len(scores) else 0.0
    return lowest - steps * max(1.0, abs(lowest) * _LEAST_STEP)


def evaluate_run(
    lists: RankingLists, run: RunScores, progress: Progress | None = None
) -> Evaluation:
    """Rank each question's candidates and, if `lists` has a corpus, all contexts by a run.

    Args:
        lists: n questions.
        run: what the run has for them.
        progress: called after each block of the corpus with the number of questions done, and n.

    Returns:
        The ranks, with vectors of width 0.
    """
    nothing = Embeddings.empty(len(lists.tokens), 0)
    corpus = rank_corpus(lists, run, progress) if len(lists.corpus) else None
    return Evaluation(lists, nothing, rank_candidates(lists, run), corpus)


def candidate_scores(candidates: Ints, offsets: Ints, run: RunScores) -> Floats:
    """Look up the scores of candidates. All that the run lacks of a question have one score.

    Args:
        candidates: int64 (m,), the candidates of n questions as places in `Samples.contexts`.
        offsets: int64 (n + 1,), where those of each question start.
        run: what the run has for the questions.

    Returns:
        float32 (m,). What the run lacks has a score below all that it has for the question.
    """
    scores = np.empty(len(candidates), np.float32)
    for row, (found, own) in enumerate(zip(run.contexts, run.scores, strict=True)):
        part = slice(offsets[row], offsets[row + 1])
        values = np.full(len(candidates[part]), below(own, 1), np.float32)
        order = np.argsort(found, kind="stable")
        if len(order):
            wanted = candidates[part]
            place = np.minimum(np.searchsorted(found, wanted, sorter=order), len(order) - 1)
            has = found[order[place]] == wanted
            values[has] = own[order[place[has]]]
        scores[part] = values
    return scores


def rank_candidates(lists: RankingLists, run: RunScores) -> Scored:
    """Rank each question's candidates by a run.

    A candidate that the run lacks has a score below the run's lowest; see the module.
    """
    scores = candidate_scores(lists.contexts, lists.offsets, run)
    for row, own in enumerate(run.scores):
        start = lists.offsets[row]
        truths = scores[start : start + lists.num_relevant[row]]
        truths[truths < own.min(initial=np.inf)] = below(own, 2)
    by_entity = np.zeros(len(scores), np.bool_)
    return Scored.of(scores, lists.offsets, lists.num_relevant, by_entity, lists.grades)


def rank_corpus(lists: RankingLists, run: RunScores, progress: Progress | None = None) -> Ranked:
    """Rank each question's ground truths among all N contexts of the samples by a run.

    Copies of a ground truth under other ids do not count. Only a block of scores is in memory at a
    time. The scores of a question are replaced by their places, which keep order and ties.
    """
    size, counts = len(lists.corpus), CorpusCounts(lists)
    for part in counts.blocks(size):
        rows = counts.rows(part)
        # 0 is the place of a ground truth that the run lacks, 1 that of another such context.
        levels = np.ones((len(rows), size), np.float32)
        row_of = counts.questions[part] - rows[0]
        levels[row_of, counts.contexts[part]] = 0
        for place, row in enumerate(rows):
            _, level = np.unique(run.scores[row], return_inverse=True)
            levels[place, run.contexts[row]] = 2 + level.reshape(-1)
        own = levels[row_of, counts.contexts[part]]
        counts.add(part, 0, levels, own)
        if progress is not None:
            progress(int(rows[-1]) + 1, len(lists))
    truths = counts.truths(np.zeros(len(counts.questions), np.bool_))
    return Ranked.of_truths(truths, counts.lengths, np.zeros(len(lists), np.int64))
