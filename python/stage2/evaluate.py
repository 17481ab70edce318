"""Before and after, on the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stage2.arrays import Ints
from stage2.cache import EmbeddingCache
from stage2.embeddings import Embeddings
from stage2.encode import LazyModel, Progress, encode_tokens, encode_windows, loaded
from stage2.lists import RankingLists
from stage2.mining import Scored, evaluation_rows, score, score_corpus
from stage2.model import ProbabilisticGBERTV4


@dataclass(frozen=True)
class Evaluation:
    """One model on one set of samples, against the candidates and against the whole corpus."""

    lists: RankingLists
    embeddings: Embeddings
    candidates: Scored
    corpus: Scored | None

    def rows(self, questions: Sequence[str]) -> list[dict[str, Any]]:
        """The rows of `evaluation_results.json`."""
        return list(evaluation_rows(self.lists, questions, self.embeddings, self.candidates))

    def by_source(self) -> dict[str, Scored]:
        """Scores under the names of `--source`."""
        found = {"candidates": self.candidates}
        if self.corpus is not None:
            found["corpus"] = self.corpus
        return found


def evaluate(
    model: ProbabilisticGBERTV4 | LazyModel,
    lists: RankingLists,
    precision: str,
    progress: Progress | None = None,
    cache: EmbeddingCache | None = None,
) -> Evaluation:
    """Embed every text of `lists` that the cache lacks once, and rank.

    Over the corpus too where `lists` has it.
    """
    tokens = lists.tokens
    if cache is None:
        embeddings = encode_tokens(loaded(model), tokens, precision=precision, progress=progress)
    else:
        embeddings = encode_windows(
            model, len(tokens), tokens.read, precision=precision, progress=progress, cache=cache
        )
    return Evaluation(
        lists,
        embeddings,
        score(lists, embeddings),
        score_corpus(lists, embeddings) if len(lists.corpus) else None,
    )


def compare(
    before: Evaluation,
    after: Evaluation,
    sets: Sequence[tuple[str, Ints, bool, int]],
    sources: Sequence[str] = ("candidates", "corpus"),
) -> dict[str, Any]:
    """The content of `comparison.json`.

    Args:
        before: of the model as it came.
        after: of the model shipped, on the same lists.
        sets: for each set of questions its name, their rows, whether training saw none of them,
            and how many of them it saw.
        sources: what the questions are ranked against, where it was evaluated.
    """
    return {
        "sets": [
            {
                "name": name,
                "held_out": held_out,
                "source": source,
                "num_queries": len(rows),
                "seen_in_training": seen,
                "before": old.metrics(rows),
                "after": after.by_source()[source].metrics(rows),
            }
            for name, rows, held_out, seen in sets
            for source, old in before.by_source().items()
            if source in sources
        ]
    }
