"""Easy questions to train on beside the hard ones, so that what was right stays right."""

from __future__ import annotations

import hashlib

import numpy as np

from stage2.config import Settings
from stage2.encoding.ranking_lists import RankingLists
from stage2.utils import console
from stage2.utils.arrays import Ints


def with_replay(hard: Ints, allowed: Ints, lists: RankingLists, settings: Settings) -> Ints:
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
    console.say(f"replay: {len(drawn)} easy questions beside {len(hard)} hard ones")
    return np.union1d(hard, np.asarray(drawn, np.int64))
