"""Baselines: rankings of the whole corpus that a user has without training a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.bm25 import rank_by_bm25
from stage2.evaluation.ranking import Ranked
from stage2.utils.progress import Progress

# By the name of the setting that asks for it.
BASELINES: Mapping[str, Callable[[RankingLists, Progress | None], Ranked]] = {
    "bm25": rank_by_bm25,
}
