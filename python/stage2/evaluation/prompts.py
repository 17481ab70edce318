"""The effect of prompts: the same questions are ranked with them and without."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from stage2.encoding.embeddings import Embeddings
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import RankingLists
from stage2.encoding.tokens import LazyTokens, Role
from stage2.evaluation.ranking import score_corpus
from stage2.evaluation.statistics import paired_differences
from stage2.utils.arrays import Ints

# Where chunks are read with another prompt, so many questions are ranked among so many chunks,
# evenly spaced, beside the ground truths: to embed the whole corpus again would double the time.
QUESTIONS, CHUNKS = 200, 1_000

_ROLES: tuple[Role, ...] = ("query", "document")

# A function that embeds t texts.
Embed: TypeAlias = Callable[[LazyTokens], Embeddings]


def given_prompts(prompts: Mapping[Role, str]) -> dict[Role, str]:
    """Return the prompts of questions and of documents that are not empty."""
    return {role: prompts[role] for role in _ROLES if prompts.get(role)}


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
        other: the same questions as they are read the other way.
        embed: embeds the texts of `other`.
        prompts: the prompts that the one reading has and the other has not, by role.
        has_prompts: whether it is the first reading that has them.
    """

    told: RankingLists
    embeddings: Embeddings
    other: RankingLists
    embed: Embed
    prompts: Mapping[Role, str]
    has_prompts: bool


def prompt_effect(readings: Readings, groups: Ints, seed: int) -> dict[str, Any]:
    """Compare the MRR of two readings over the corpus.

    If chunks are read with another prompt, only some questions are ranked among some chunks.

    Args:
        readings: n questions in both readings.
        groups: int64 (n,), equal for questions that are not independent.
        seed: the seed of the resampling.

    Returns:
        The entry `prompts` of `check.json`: `told`, which is `with` or `without` prompts, as the
        first reading is; `prompts`; `questions` and `chunks`, how many were ranked and among how
        many; `without` and `with`, the MRR of each; `difference`, `low`, `high` and `p` of that
        with prompts less that without, as in `comparison.json`.
    """
    told, other, known = readings.told, readings.other, readings.embeddings
    rows = np.arange(len(told))
    if "document" in readings.prompts:
        rows = _spread(len(told), QUESTIONS)
        kept = _kept(told, rows)
        told, other = (_part(lists, rows, kept) for lists in (told, other))
        used = np.unique(np.concatenate([told.questions, told.candidates, told.corpus]))
        told, other, known = told.trimmed(), other.trimmed(), known.take(used)
    changed = np.flatnonzero([role in readings.prompts for role in other.tokens.roles])
    vectors = known.take(np.arange(len(known)))
    vectors.put(changed, readings.embed(other.tokens.take(changed)))
    ranks = [
        score_corpus(lists, one).ranking.reciprocal_rank
        for lists, one in ((told, known), (other, vectors))
    ]
    # The difference is that of using prompts, whichever way is told.
    without, with_them = ranks[::-1] if readings.has_prompts else ranks
    (found,) = paired_differences([with_them - without], groups[rows], seed)
    return {
        "told": "with" if readings.has_prompts else "without",
        "prompts": dict(readings.prompts),
        "questions": len(rows),
        "chunks": len(told.corpus),
        "without": float(without.mean()),
        "with": float(with_them.mean()),
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
