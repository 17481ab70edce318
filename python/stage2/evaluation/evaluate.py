"""Before and after, on the same samples."""

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
    """One model on one set of samples, against the candidates and against the whole corpus."""

    lists: RankingLists
    embeddings: Embeddings
    candidates: Scored
    corpus: Ranked | None

    def rows(self, questions: Sequence[str]) -> list[dict[str, Any]]:
        """The rows of `evaluation_results.json`."""
        return list(evaluation_rows(self.lists, questions, self.embeddings, self.candidates))

    def by_source(self, sources: Sequence[str] = ("candidates", "corpus")) -> dict[str, Ranked]:
        """Ranks under the names of `--source`, of those sources that were evaluated."""
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
    """Embed every text of `lists` once, and rank; see `embed` and `rank_lists`."""
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
    """Embed every text of `lists` that the cache lacks once.

    Args:
        model: on its device.
        lists: what is to be ranked.
        precision: of embedding.
        progress: called after each batch.
        cache: of the model's vectors.
        folder: where vectors beyond the budget lie; None: in memory, all of them.
        memory_budget: bytes that vectors may take; default a quarter of the memory.
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
    """Rank the candidates of each question, and the whole corpus where `lists` has it.

    The scores of the corpus are held a block at a time.

    Args:
        lists: what is ranked.
        embeddings: of the texts of `lists`.
        progress: called with the questions done and all of them, while the corpus is ranked.
    """
    corpus = score_corpus(lists, embeddings, progress) if len(lists.corpus) else None
    return Evaluation(lists, embeddings, score(lists, embeddings), corpus)
