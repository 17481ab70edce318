"""The evaluation of a model with bars that show how far it is."""

from __future__ import annotations

from pathlib import Path

from stage2.cli import console
from stage2.config import Settings
from stage2.encoding.cache import EmbeddingCache
from stage2.encoding.encoder import Encoder, LazyModel
from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.evaluate import Evaluation, embed, rank_lists


def evaluate_shown(
    title: str,
    model: Encoder | LazyModel,
    lists: RankingLists,
    settings: Settings,
    cache: EmbeddingCache | None = None,
    folder: Path | None = None,
) -> Evaluation:
    """Embed and rank as `stage2.evaluation.evaluate` does, with a bar for each.

    Args:
        title: the title of the first bar.
        model: the model, on its device.
        lists: the lists that are ranked.
        settings: `precision` and `memory_budget` are used.
        cache: the cache of the model's vectors, or None.
        folder: the folder for a file of the vectors if they exceed the budget; None keeps them in
            memory.
    """
    with console.bar(title) as progress:
        vectors = embed(model, lists, settings.precision, progress, cache, folder, settings.budget)
    with console.bar("ranking the corpus", "question") as progress:
        return rank_lists(lists, vectors, progress)
