"""The questions to train on. A split and every fold follow the same rule."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass

import numpy as np

from stage2.config import TrainingConfig
from stage2.encoding.ranking_lists import RankingLists
from stage2.mining.audit import Mask
from stage2.utils.arrays import Ints

logger = logging.getLogger(__name__)


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
    settings: TrainingConfig

    def rows(self, visible: Ints) -> Ints:
        """Rows to train on of those that may be seen: all, or the hard ones and some easy ones."""
        if self.settings.train_on == "all":
            return visible
        hard = np.intersect1d(self.hard, visible)
        return with_replay(hard, visible, self.lists, self.settings)

    def lists_of(self, visible: Ints) -> RankingLists:
        """The lists of those rows."""
        return self.lists.without(self.dropped).subset(self.rows(visible))


def with_replay(hard: Ints, allowed: Ints, lists: RankingLists, settings: TrainingConfig) -> Ints:
    """Add `settings.replay` easy questions for each hard one, as far as there are so many.

    Whether a question is drawn depends on the seed and on its id, as its place among the others'
    hashes: adding questions changes few draws.

    Args:
        hard: int64, rows of the hard examples to train on.
        allowed: int64, rows that may be trained on.
        lists: of all questions; one without a negative is never drawn.
        settings: replay, seed.

    Returns:
        int64, rising.
    """
    count = round(settings.replay * len(hard))
    easy = [
        row
        for row in np.setdiff1d(allowed, hard).tolist()
        if lists.lengths[row] > lists.num_relevant[row]
    ]
    if not count or not easy:
        return hard

    def place(row: int) -> bytes:
        text = f"{settings.seed}\0{lists.qa_ids[row]}".encode()
        return hashlib.blake2b(text, digest_size=8, person=b"replay").digest()

    drawn = sorted(easy, key=place)[:count]
    logger.info("replay: %d easy questions beside %d hard ones", len(drawn), len(hard))
    return np.union1d(hard, np.asarray(drawn, np.int64))
