"""What a training of some questions trains on: the same rule for a split and for every fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stage2.config import Settings
from stage2.encoding.ranking_lists import RankingLists
from stage2.mining.audit import Mask
from stage2.training.replay import with_replay
from stage2.utils.arrays import Ints


@dataclass(frozen=True)
class Recipe:
    """How the lists to train on follow from the questions that may be seen.

    Attributes:
        lists: of all questions.
        hard: int64, rows of the hard examples.
        dropped: bool, of the candidates of `lists`: those that are probably no negatives.
        settings: of training.
    """

    lists: RankingLists
    hard: Ints
    dropped: Mask
    settings: Settings

    def rows(self, visible: Ints) -> Ints:
        """Rows to train on of those that may be seen: all, or the hard ones and some easy ones."""
        if self.settings.train_on == "all":
            return visible
        hard = np.intersect1d(self.hard, visible)
        return with_replay(hard, visible, self.lists, self.settings)

    def lists_of(self, visible: Ints) -> RankingLists:
        """The lists of those rows."""
        return self.lists.without(self.dropped).subset(self.rows(visible))
