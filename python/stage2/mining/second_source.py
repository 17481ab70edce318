"""A second source of hard negatives, beside the model's own mining: BM25, or any engine's run.

The model mines what it confuses with an answer, another system what that one confuses. A mixture of
both is what dense retrievers are often trained on (Karpukhin et al. 2020, "Dense passage retrieval
for open-domain question answering", have BM25's; Xiong et al. 2021, "Approximate nearest neighbor
negative contrastive learning for dense text retrieval", the model's own).

The second source says which chunks are looked at, and in which order. Margins and limits of scores
are held against the scores of the model, as for the model's own negatives: how BM25 scores an
answer says nothing about that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from stage2._core import select_negatives
from stage2.config import MiningConfig
from stage2.encoding.vectors import Vectors
from stage2.evaluation.bm25 import Bm25Index
from stage2.evaluation.run_ranks import RunScores
from stage2.mining.hard_negatives import MinedNegatives, Positives, Rules
from stage2.mining.search import Nearest, similarities
from stage2.utils.arrays import Floats, Ints, Mask
from stage2.utils.errors import BadInputError
from stage2.variants import BM25

# The name of the model's own mining, where the source of a negative is named.
MODEL = "model"


class SecondSource(Protocol):
    """A system that finds chunks for a question, and is no model that is trained."""

    @property
    def name(self) -> str:
        """Its name, as files have it."""

    def nearest(self, key: str, allowed: Mask, depth: int) -> Ints:
        """Return what it finds for a question, the best first; of equal scores the lower place.

        Args:
            key: the id of the question.
            allowed: bool (N,), the chunks that may be found.
            depth: so many chunks are enough.

        Returns:
            Places in the corpus, int64 (k,), k at most `depth`. What it knows nothing of is left
            out.
        """


class Bm25Source:
    """BM25. A chunk without a word of the question is not found."""

    def __init__(self, keys: Sequence[str], questions: Sequence[str], texts: Sequence[str]) -> None:
        """Keep N texts, and the questions with these ids. They are indexed when it first finds."""
        self._places = {key: place for place, key in enumerate(keys)}
        self._texts = questions, texts

    @property
    def name(self) -> str:
        """Its name."""
        return BM25

    @cached_property
    def _index(self) -> Bm25Index:
        return Bm25Index(*self._texts)

    def nearest(self, key: str, allowed: Mask, depth: int) -> Ints:
        """Find as `SecondSource.nearest` says."""
        scores = np.where(allowed, self._index.scores(self._places[key]), 0)
        return _best(np.flatnonzero(scores > 0).astype(np.int64), scores, depth)


class RunSource:
    """The run of any engine."""

    def __init__(self, name: str, keys: Sequence[str], run: RunScores) -> None:
        """Keep what the run of this name has for the questions with these ids."""
        self._name = name
        found = zip(run.contexts, run.scores, strict=True)
        self._found: Mapping[str, Ints] = {
            key: rows[np.lexsort((rows, -scores))]
            for key, (rows, scores) in zip(keys, found, strict=True)
        }

    @property
    def name(self) -> str:
        """The name of its file."""
        return self._name

    def nearest(self, key: str, allowed: Mask, depth: int) -> Ints:
        """Find as `SecondSource.nearest` says."""
        rows = self._found[key]
        return rows[allowed[rows]][:depth]


@dataclass(frozen=True)
class Beside:
    """A miner that takes negatives from a second source, for n questions over N chunks.

    Attributes:
        source: the second source.
        questions: the model's vectors of the questions.
        chunks: the model's vectors of the chunks.
        groups: int64 (N,), equal for chunks with the same text.
        keys: the ids of the questions.
        rules: the rules, with the number of negatives that this source is to give.
        taken: for each question the chunks that it has already: int64 (k,).
    """

    source: SecondSource
    questions: Vectors[Any]
    chunks: Vectors[Any]
    groups: Ints
    keys: Sequence[str]
    rules: Rules
    taken: Sequence[Ints]

    def among(self, rows: Ints, allowed: Ints, own: Positives) -> MinedNegatives:
        """Mine some questions among some chunks, as `held_out.MineAmong` says.

        Raw ranks are those of the source, and count neither ground truths nor what the question
        has already, nor chunks with their texts.
        """
        found = [
            self._found(row, allowed, own.rows[own.offsets[place] : own.offsets[place + 1]])
            for place, row in enumerate(rows.tolist())
        ]
        counts = [len(places) for places in found]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        vectors = self.questions.at(rows), self.chunks.at(allowed)
        flat = np.concatenate([np.empty(0, np.int64), *found])
        scores = similarities(*vectors, flat, offsets)
        positive_scores = similarities(*vectors, own.rows, own.offsets)
        # A list that is too short ends with a ground truth, which is no negative and has no rank.
        width = 1 + max(counts, default=0)
        firsts = own.rows[own.offsets[:-1]]
        nearest = np.repeat(firsts[:, None], width, axis=1).astype(np.int64)
        matrix = np.zeros(nearest.shape, np.float32)
        filled = np.arange(width) < np.asarray(counts)[:, None]
        nearest[filled], matrix[filled] = flat, scores
        chosen = select_negatives(
            (nearest, matrix),
            (own.rows, positive_scores, own.offsets),
            self.groups[allowed],
            [self.keys[row] for row in rows],
            self.rules.within(len(allowed)),
        )
        return MinedNegatives(*chosen, positive_scores, Nearest(nearest, matrix))

    def _found(self, row: int, allowed: Ints, own: Ints) -> Ints:
        """Return the places among `allowed` of what a question may be given, the best first."""
        no = self.groups[np.concatenate([allowed[own], self.taken[row]])]
        free = np.zeros(len(self.groups), np.bool_)
        free[allowed] = ~np.isin(self.groups[allowed], no)
        rows = self.source.nearest(self.keys[row], free, self.rules.end)
        return np.searchsorted(allowed, rows).astype(np.int64)


@dataclass(frozen=True)
class Negatives:
    """The negatives of n questions.

    Attributes:
        rows: int64 (m,), chunks, for each question by falling score of the model.
        offsets: int64 (n + 1,), where those of each question start.
        seconds: bool (m,), whether each is of the second source.
    """

    rows: Ints
    offsets: Ints
    seconds: Mask

    @property
    def of_questions(self) -> list[Ints]:
        """The chunks of each question."""
        return np.split(self.rows, self.offsets[1:-1])

    def sources(self, second: SecondSource | None) -> list[str]:
        """Name the source of each negative."""
        other = MODEL if second is None else second.name
        return [other if is_second else MODEL for is_second in self.seconds.tolist()]


def source_rows(
    keys: Sequence[str],
    found: Negatives,
    context_ids: Sequence[str],
    second: SecondSource | None,
) -> list[dict[str, Any]]:
    """Return a row for each question: its negatives by falling score, and the source of each.

    Args:
        keys: the ids of n questions.
        found: their negatives.
        context_ids: the ids of the N chunks.
        second: the second source, or None.
    """
    names = found.sources(second)
    return [
        {
            "qa_id": key,
            "negative_chunk_ids": [context_ids[place] for place in found.rows[start:end].tolist()],
            "sources": names[start:end],
        }
        for key, start, end in zip(keys, found.offsets[:-1], found.offsets[1:], strict=True)
    ]


def from_model(rows: Ints, offsets: Ints) -> Negatives:
    """Return negatives that are all of the model's own mining."""
    return Negatives(rows, offsets, np.zeros(len(rows), np.bool_))


def shares(negatives: int, second_share: float) -> tuple[int, int]:
    """Return how many negatives of a question the model gives, and how many the second source.

    Args:
        negatives: the negatives of a question.
        second_share: the share of the second source, which is rounded, halves upwards.
    """
    second = int(np.floor(second_share * negatives + 0.5))
    return negatives - second, second


def check_shares(settings: MiningConfig) -> None:
    """Refuse a share of a second source with which one of the two would give no negative.

    Raises:
        BadInputError: the share of few negatives is none of them, or all.
    """
    if settings.second_source is None:
        return
    first, second = shares(settings.negatives, settings.second_share)
    if not second or (not first and settings.second_share < 1):
        whose = "the model" if second else "--second-source"
        raise BadInputError(
            f"--second-share {settings.second_share:g} of --negatives {settings.negatives} leaves "
            f"none for {whose}; expected more --negatives, or another share (1 takes all from "
            "--second-source)"
        )


def first_rules(rules: Rules, second_share: float | None) -> Rules:
    """Return the rules for the model's own negatives; `second_share` is None without a second."""
    if second_share is None:
        return rules
    # The core selects one at least. If the model is to give none, what it gives is not used.
    return replace(rules, negatives=max(1, shares(rules.negatives, second_share)[0]))


def joined(questions: Vectors[Any], chunks: Vectors[Any], parts: Sequence[Negatives]) -> Negatives:
    """Join the negatives that both sources give, by falling score of the model.

    If scores are equal, the lower chunk comes first.

    Args:
        questions: the vectors of n questions.
        chunks: the vectors of the chunks.
        parts: those of the model, then those of the second source; no chunk is in both.
    """
    asked = np.concatenate(
        [np.repeat(np.arange(len(part.offsets) - 1), np.diff(part.offsets)) for part in parts]
    )
    order = np.argsort(asked, kind="stable")
    rows = np.concatenate([part.rows for part in parts])[order]
    seconds = np.concatenate([part.seconds for part in parts])[order]
    counts = np.sum([np.diff(part.offsets) for part in parts], axis=0)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    scores = similarities(questions, chunks, rows, offsets)
    order = np.lexsort((rows, -scores, asked[order]))
    return Negatives(rows[order], offsets, seconds[order])


def _best(rows: Ints, scores: Floats, depth: int) -> Ints:
    """Return the `depth` rows with the largest scores, of equal ones the lowest rows."""
    if len(rows) > depth:
        own = scores[rows]
        least = np.partition(own, len(own) - depth)[len(own) - depth]
        rows = rows[own >= least]
    return rows[np.lexsort((rows, -scores[rows]))][:depth]
