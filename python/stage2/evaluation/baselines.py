"""Baselines: rankings of the whole corpus that a user has without training a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stage2.encoding.cache import EmbeddingCache
from stage2.encoding.encoder import Encoder, LazyModel
from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.bm25 import rank_by_bm25
from stage2.evaluation.evaluate import embed
from stage2.evaluation.ranking import Ranked, score_corpus
from stage2.utils.arrays import Mask
from stage2.utils.progress import Progress


@dataclass(frozen=True)
class Backbone:
    """The untouched encoder that a model was made from, with its own pooling and its own limits.

    Attributes:
        name: the name of the encoder, for people.
        model: the encoder, on its device.
        precision: the precision of embedding.
        cache: the cache of its vectors, or None.
        folder: the folder for a file of the vectors if they exceed the budget.
        memory_budget: bytes that vectors may use in memory; None means a quarter of the memory.
    """

    name: str
    model: Encoder | LazyModel
    precision: str
    cache: EmbeddingCache | None = None
    folder: Path | None = None
    memory_budget: int | None = None


@dataclass(frozen=True)
class Baseline:
    """The result of a baseline.

    Attributes:
        ranked: the ranks in the whole corpus.
        model: the name of the model whose vectors rank; None if there is no model.
        embedding_dim: the width of its vectors; None if there is no model.
    """

    ranked: Ranked
    model: str | None = None
    embedding_dim: int | None = None

    def without(self, truths: Mask | None) -> Baseline:
        """Return the baseline without some ground truths; see `Ranked.without`."""
        return replace(self, ranked=self.ranked.without(truths))


@dataclass(frozen=True)
class Method:
    """How a baseline ranks.

    Attributes:
        rank: a function of lists with a corpus and of the untouched backbone; it reports progress.
        unit: what progress is counted in.
        needs_backbone: whether a model that was made from no backbone has no such baseline.
    """

    rank: Callable[[RankingLists, Backbone | None, Progress | None], Baseline]
    unit: str
    needs_backbone: bool = False


def _by_bm25(
    lists: RankingLists, _backbone: Backbone | None, progress: Progress | None
) -> Baseline:
    return Baseline(rank_by_bm25(lists, progress))


def rank_by_backbone(
    lists: RankingLists, backbone: Backbone | None, progress: Progress | None = None
) -> Baseline:
    """Rank each question's ground truths among the whole corpus by the backbone's own vectors.

    Whole texts are compared. Each text is embedded once, or read from the cache.

    Args:
        lists: the questions with a corpus, as any model reads them.
        backbone: the backbone.
        progress: called after each batch.

    Raises:
        ValueError: there is no backbone.
    """
    if backbone is None:
        raise ValueError("no backbone to rank by")
    own = lists.read_by(backbone.model)
    vectors = embed(
        backbone.model, own, backbone.precision, progress, backbone.cache, backbone.folder,
        backbone.memory_budget,
    )  # fmt: skip
    return Baseline(score_corpus(own, vectors), backbone.name, backbone.model.embedding_dim)


# By the name of the setting that asks for it.
BASELINES: Mapping[str, Method] = {
    "bm25": Method(_by_bm25, "question"),
    "untouched_backbone": Method(rank_by_backbone, "text", needs_backbone=True),
}
