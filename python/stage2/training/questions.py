"""The rule for the questions that are trained on, in the split and in every fold."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stage2._core import text_key
from stage2.config import TrainingConfig
from stage2.encoding.ranking_lists import RankingLists
from stage2.training.dev_corpus import Dev
from stage2.training.guard import Guard
from stage2.training.rounds import Again
from stage2.utils.arrays import Ints, Mask

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """The rule that makes lists for training from the questions that may be seen.

    Attributes:
        lists: the lists of all questions, with m candidates.
        hard: int64, the rows of the hard examples.
        dropped: bool (m,), the candidates that are probably false negatives.
        settings: the settings of the training.
        guards: the questions of other data on which the chosen model must not be worse.
        held_out: texts that answer held-out questions which are not among `lists`.
        again: what mining again in rounds needs; None for lists that stay as they are.
    """

    lists: RankingLists
    hard: Ints
    dropped: Mask
    settings: TrainingConfig
    guards: tuple[Guard, ...] = ()
    held_out: tuple[str, ...] = ()
    again: Again | None = None

    def guarded(self, dev: Dev) -> Dev:
        """Return dev questions that choose together with the guards."""
        return replace(dev, guards=self.guards)

    def rows(self, visible: Ints) -> Ints:
        """Choose the rows to train on: all that may be seen, or hard ones and some easy ones."""
        if self.settings.train_on == "all":
            return visible
        hard = np.intersect1d(self.hard, visible)
        if not self.settings.replay:
            return hard
        return with_replay(hard, visible, self._as_seen(visible), self.settings)

    def at_most(self, visible: Ints) -> Ints:
        """Return the rows that are trained on if any of the rows are that may be seen."""
        if self.settings.train_on == "all" or self.settings.replay:
            return visible
        return np.intersect1d(self.hard, visible)

    def refit_lists(self, train: Ints, dev: Ints) -> RankingLists | None:
        """Return the lists of both sides to refit on; None without `refit`."""
        if not self.settings.refit:
            return None
        return self.lists_of(np.union1d(train, dev))

    def lists_of(self, visible: Ints) -> RankingLists:
        """Return the lists of those rows, without the dropped candidates.

        What answers only questions that are not seen is no negative of those that are: the model
        would learn to rank the held-out answers low.
        """
        rows = self.rows(visible)
        before, after = self.lists.without(self.dropped), self._as_seen(visible)
        if left := int((before.lengths - after.lengths)[rows].sum()):
            logger.info(
                "%d negatives answer held-out questions, and are not trained on: the model would "
                "learn to rank these answers low",
                left,
            )
        if self.again is None:
            return after.subset(rows)
        closed = closed_chunks(self.lists, visible, self.held_out)
        return self.again.of(after.subset(rows), closed)

    def _as_seen(self, visible: Ints) -> RankingLists:
        """Return all lists without what is no negative where only those rows may be seen."""
        held_out = answers_of_others(self.lists, visible, self.held_out)
        return self.lists.without(self.dropped | held_out)


def answers_of_others(lists: RankingLists, visible: Ints, held_out: Sequence[str] = ()) -> Mask:
    """Mark the negatives that answer only questions that are not seen.

    Args:
        lists: the lists of all questions, with m candidates.
        visible: int64, the rows of the questions that are seen.
        held_out: texts that answer questions which are not among them.

    Returns:
        bool (m,). No ground truth is marked.
    """
    texts = lists.tokens.same_text[lists.candidates]
    return _answers(lists, visible, held_out, texts) & ~lists.is_relevant


def closed_chunks(lists: RankingLists, visible: Ints, held_out: Sequence[str] = ()) -> Mask:
    """Mark the chunks of the corpus that answer only questions that are not seen.

    Args:
        lists: the lists of all questions, with a corpus of N chunks.
        visible: as in `answers_of_others`.
        held_out: as in `answers_of_others`.

    Returns:
        bool (N,).
    """
    texts = lists.tokens.same_text[lists.corpus]
    return _answers(lists, visible, held_out, texts)


def _answers(lists: RankingLists, visible: Ints, held_out: Sequence[str], texts: Ints) -> Mask:
    """Mark those of some texts, as in `same_text`, that answer only questions that are not seen."""
    seen = np.zeros(len(lists), np.bool_)
    seen[visible] = True
    listed, truth = lists.tokens.same_text[lists.candidates], lists.is_relevant
    of_seen = np.repeat(seen, lists.lengths)
    others = listed[truth & ~of_seen]
    if held_out:
        keys = {text_key(text) for text in held_out}
        distinct = np.unique(texts)
        known = [text_key(lists.tokens.texts[row]) in keys for row in distinct.tolist()]
        others = np.union1d(others, distinct[np.asarray(known, np.bool_)])
    answers = np.setdiff1d(others, listed[truth & of_seen])
    return np.asarray(np.isin(texts, answers))


def with_replay(hard: Ints, allowed: Ints, lists: RankingLists, settings: TrainingConfig) -> Ints:
    """Add `settings.replay` easy questions for each hard one, if there are enough.

    The easy questions with the smallest hashes of seed and id are drawn. So new questions change
    few draws.

    Args:
        hard: int64, the rows of the hard examples.
        allowed: int64, the rows that may be trained on.
        lists: the lists of all questions, as they are trained on. A question without a negative is
            never drawn.
        settings: the settings `replay` and `seed` are used.

    Returns:
        Rows, int64, rising.
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
