"""The effect of a model's prompts: the same questions are ranked with them and without."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from stage2.encoding.embeddings import Embeddings
from stage2.encoding.encode import encode_tokens
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import RankingLists
from stage2.encoding.tokens import Role
from stage2.evaluation.ranking import score_corpus
from stage2.evaluation.statistics import paired_differences
from stage2.utils.arrays import Ints
from stage2.utils.progress import Progress

# Where chunks are read with another prompt, so many questions are ranked among so many chunks,
# evenly spaced, beside the ground truths: to embed the whole corpus again would double the time.
QUESTIONS, CHUNKS = 200, 1_000


def with_prompts(model: Encoder, prompts: Mapping[Role, str]) -> Encoder:
    """Return the same weights and tokenizer with other prompts."""
    found = copy.copy(model)
    found.prompts = dict(prompts)
    return found


@dataclass(frozen=True)
class Readings:
    """n questions with a corpus, read in two ways that differ in prompts.

    Attributes:
        told: the questions as they are read first.
        embeddings: the vectors of `told.tokens`.
        other: the same questions as they are read with other prompts.
        model: the model with the other prompts, on its device.
        roles: the roles whose prompts differ.
    """

    told: RankingLists
    embeddings: Embeddings
    other: RankingLists
    model: Encoder
    roles: tuple[Role, ...]


def prompt_effect(
    readings: Readings, groups: Ints, seed: int, precision: str, progress: Progress | None = None
) -> dict[str, Any]:
    """Compare the MRR of two readings over the corpus.

    If chunks are read with another prompt, only some questions are ranked among some chunks.

    Args:
        readings: n questions in both readings.
        groups: int64 (n,), equal for questions that are not independent.
        seed: the seed of the resampling.
        precision: the precision of embedding.
        progress: called after each batch.

    Returns:
        `questions` and `chunks`, how many were ranked and among how many; `told` and `other`, the
        MRR of each; `difference`, `low`, `high` and `p` of other less told, as in
        `comparison.json`.
    """
    told, other, known = readings.told, readings.other, readings.embeddings
    rows = np.arange(len(told))
    if "document" in readings.roles:
        rows = _spread(len(told), QUESTIONS)
        kept = _kept(told, rows)
        told, other = (_part(lists, rows, kept) for lists in (told, other))
        used = np.unique(np.concatenate([told.questions, told.candidates, told.corpus]))
        told, other, known = told.trimmed(), other.trimmed(), known.take(used)
    changed = np.flatnonzero([role in readings.roles for role in other.tokens.roles])
    new = encode_tokens(
        readings.model, other.tokens.take(changed), precision=precision, progress=progress
    )
    vectors = known.take(np.arange(len(known)))
    vectors.put(changed, new)
    before, after = (
        score_corpus(lists, one).ranking.reciprocal_rank
        for lists, one in ((told, known), (other, vectors))
    )
    (found,) = paired_differences([after - before], groups[rows], seed)
    return {
        "questions": len(rows),
        "chunks": len(told.corpus),
        "told": float(before.mean()),
        "other": float(after.mean()),
        **found.entries,
    }


def _part(lists: RankingLists, rows: Ints, kept: Ints) -> RankingLists:
    return lists.select(rows).without_negatives().among(kept)


def _kept(lists: RankingLists, rows: Ints) -> Ints:
    """Return the ground truths of some questions, and other contexts between them, rising."""
    own = lists.select(rows).without_negatives().contexts
    return np.union1d(own, _spread(len(lists.corpus), CHUNKS)).astype(np.int64)


def _spread(count: int, most: int) -> Ints:
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))
