"""Samples from Monte Cristo: each question with its chunk and negatives."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stage2 import Dataset
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import RankingLists
from stage2.encoding.tokens import LazyTokens, tokenize

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "monte_cristo"
QUESTIONS, NEGATIVES = 50, 5


def samples_of(count: int) -> list[list[str]]:
    """Return for each question its text, that of its chunk, and those of five negatives.

    No two questions have a negative in common.
    """
    data = Dataset.load(DATA / "qa.json", DATA / "chunks.jsonl")
    questions, texts = list(data.questions)[:count], data.chunk_texts
    own = [int(data.relevant[start]) for start in data.relevant_offsets[:count]]
    rest = np.setdiff1d(np.arange(len(texts)), own)
    drawn = np.random.default_rng(0).permutation(rest)[: count * NEGATIVES].reshape(count, -1)
    return [
        [question, texts[gold], *texts.take(others)]
        for question, gold, others in zip(questions, own, drawn, strict=True)
    ]


def lists_of(model: Encoder, samples: Sequence[Sequence[str]]) -> RankingLists:
    """Convert samples to ranking lists."""
    row_of: dict[str, int] = {}
    rows = np.array([[row_of.setdefault(text, len(row_of)) for text in row] for row in samples])
    texts = list(row_of)
    contexts = rows[:, 1:].ravel().astype(np.int64)
    spans = [()] * len(texts)
    return RankingLists(
        tokens=LazyTokens(texts, spans, lambda part: tokenize(model, *part)),
        qa_ids=[str(i) for i in range(len(samples))],
        questions=rows[:, 0].astype(np.int64),
        candidates=contexts,
        contexts=contexts,
        offsets=np.arange(len(samples) + 1) * (1 + NEGATIVES),
        num_relevant=np.ones(len(samples), np.int64),
        tie_keys=contexts,
        corpus=np.empty(0, np.int64),
    )


def copied(model: Encoder) -> Encoder:
    return copy.deepcopy(model, {id(model.tokenizer): model.tokenizer})
