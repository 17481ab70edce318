"""The evaluation of one model on one set of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stage2.encoding.batches import WINDOW
from stage2.encoding.cache import EmbeddingCache
from stage2.encoding.embeddings import Embeddings
from stage2.encoding.encode import encode_tokens, encode_windows
from stage2.encoding.encoder import Encoder, LazyModel, loaded
from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.ranking import Ranked, Scored, evaluation_rows, score, score_corpus
from stage2.utils.memory import default_budget
from stage2.utils.progress import Progress


@dataclass(frozen=True)
class Evaluation:
    """The ranks that one model gives to the ground truths of samples.

    Attributes:
        lists: the questions and their candidates.
        embeddings: the vectors of all texts of `lists`.
        candidates: the scores and ranks among each question's candidates.
        corpus: the ranks in the whole corpus; None if `lists` has no corpus.
    """

    lists: RankingLists
    embeddings: Embeddings
    candidates: Scored
    corpus: Ranked | None

    def rows(self, questions: Sequence[str]) -> list[dict[str, Any]]:
        """Return the rows of `evaluation_results.json`."""
        return list(evaluation_rows(self.lists, questions, self.embeddings, self.candidates))

    def by_source(self, sources: Sequence[str] = ("candidates", "corpus")) -> dict[str, Ranked]:
        """Return the ranks by source, for those of the sources that were evaluated."""
        found: dict[str, Ranked | None] = {"candidates": self.candidates, "corpus": self.corpus}
        return {name: ranked for name in sources if (ranked := found[name]) is not None}


def evaluate(
    model: Encoder | LazyModel,
    lists: RankingLists,
    precision: str,
    progress: Progress | None = None,
    cache: EmbeddingCache | None = None,
    folder: Path | None = None,
    memory_budget: int | None = None,
) -> Evaluation:
    """Embed every text of `lists` once and rank the lists: see `embed` and `rank_lists`."""
    embeddings = embed(model, lists, precision, progress, cache, folder, memory_budget)
    return rank_lists(lists, embeddings)


def embed(
    model: Encoder | LazyModel,
    lists: RankingLists,
    precision: str,
    progress: Progress | None = None,
    cache: EmbeddingCache | None = None,
    folder: Path | None = None,
    memory_budget: int | None = None,
) -> Embeddings:
    """Embed every text of `lists` once. Vectors that are in the cache are read from it.

    Args:
        model: the model, on its device.
        lists: the lists that are to be ranked.
        precision: the precision of embedding: `auto`, `fp32`, `bf16` or `fp16`.
        progress: called after each batch.
        cache: the cache of the model's vectors, or None.
        folder: the folder for a file of the vectors if they exceed the budget; None keeps them in
            memory.
        memory_budget: bytes that vectors may use in memory; None means a quarter of the memory.
    """
    tokens = lists.tokens
    if cache is None and len(tokens) <= WINDOW:
        return encode_tokens(loaded(model), tokens, precision=precision, progress=progress)
    budget = default_budget() if memory_budget is None else memory_budget
    vectors = 2 * len(tokens) * model.embedding_dim * np.dtype(np.float32).itemsize
    return encode_windows(
        model, len(tokens), tokens.read, precision=precision, progress=progress, cache=cache,
        folder=folder if vectors > budget else None,
    )  # fmt: skip


def rank_lists(
    lists: RankingLists, embeddings: Embeddings, progress: Progress | None = None
) -> Evaluation:
    """Rank each question's candidates and, if `lists` has a corpus, the whole corpus.

    Only a block of the corpus's scores is in memory at a time.

    Args:
        lists: the lists that are ranked.
        embeddings: the vectors of the texts of `lists`.
        progress: called with the number of questions done and of all questions, while the corpus is
            ranked.
    """
    corpus = score_corpus(lists, embeddings, progress) if len(lists.corpus) else None
    return Evaluation(lists, embeddings, score(lists, embeddings), corpus)
