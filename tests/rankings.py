"""Lists for rankings, with the vectors of their texts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stage2 import Embeddings
from stage2.encoding.ranking_lists import RankingLists
from stage2.encoding.tokens import LazyTokens


def made(questions: int, chunks: int, seed: int) -> tuple[RankingLists, Embeddings]:
    """Draw vectors on a coarse grid, so that many scores tie. Half of the texts have entities."""
    random = np.random.default_rng(seed)
    count = questions + chunks
    mu, entity = random.integers(-2, 3, (2, count, 4)).astype(np.float32)
    has_entity = random.random(count) < 0.5
    entity[~has_entity] = 0
    embeddings = Embeddings(
        mu, entity, has_entity, np.ones(count, np.float32), has_entity.astype(np.int64)
    )
    num_relevant = random.integers(1, 4, questions)
    contexts = np.concatenate([random.permutation(chunks)[: n + 2] for n in num_relevant])
    texts = [str(i) for i in range(count)]
    lists = RankingLists(
        tokens=LazyTokens(texts, [()] * count, lambda *_: pytest.fail("no token is needed")),
        qa_ids=texts[:questions],
        questions=np.arange(questions),
        candidates=questions + contexts,
        contexts=contexts,
        offsets=np.cumsum([0, *(num_relevant + 2)]).astype(np.int64),
        num_relevant=num_relevant,
        tie_keys=contexts,
        corpus=np.arange(questions, count),
    )
    return lists, embeddings


def embeddings(count: int, seed: int, share: float = 0.5) -> Embeddings:
    """Draw vectors of few lengths and directions, so that scores tie. Some texts have entities."""
    random = np.random.default_rng(seed)
    mu, entity = (random.integers(-2, 3, (count, 8)).astype(np.float32) for _ in range(2))
    has_entity = random.random(count) < share
    entity[~has_entity] = 0
    found = Embeddings.empty(count, 8)
    return replace(found, mu=mu, entity=entity, has_entity=has_entity)


def of_texts(
    questions: list[str],
    documents: list[str],
    relevant: list[list[int]],
    grades: list[list[float]] | None = None,
) -> RankingLists:
    """Make lists of a corpus of texts, in which each question has its ground truths alone."""
    texts, first = [*questions, *documents], len(questions)
    contexts = np.array([place for places in relevant for place in places], np.int64)
    counts = np.array(list(map(len, relevant)), np.int64)
    return RankingLists(
        tokens=LazyTokens(texts, [()] * len(texts), lambda *_: pytest.fail("no token is needed")),
        qa_ids=[str(i) for i in range(first)],
        questions=np.arange(first),
        candidates=first + contexts,
        contexts=contexts,
        offsets=np.cumsum([0, *counts]).astype(np.int64),
        num_relevant=counts,
        tie_keys=contexts,
        corpus=np.arange(first, len(texts)),
        grades=None if grades is None else np.array([one for row in grades for one in row]),
    )
