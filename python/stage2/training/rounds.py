"""Rounds: negatives that are mined again with the model so far, as it goes on being trained.

Negatives that are hard for the model before training are soon easy for the trained one. So epochs
are divided into rounds, and at the start of each round but the first every question is given the
negatives that the model finds hardest now (Xiong et al. 2021, "Approximate nearest neighbor
negative contrastive learning for dense text retrieval", whose index is made anew as training goes
on). It stays one training: one optimiser and one schedule of the learning rate go through all
rounds, and each round goes on from the last model, not from the best. The questions stay the same.

No answer of a held-out question is a negative; see `MinedAgain.closed`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stage2.call import Call
from stage2.config import Settings, TrainingConfig
from stage2.encoding.embeddings import Embeddings
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import RankingLists, tie_keys_of
from stage2.evaluation import evaluate
from stage2.mining.corpus import Problem, mine_without
from stage2.mining.hard_negatives import Positives
from stage2.mining.second_source import Negatives, SecondSource, source_rows
from stage2.training.documents import Documents, embed
from stage2.usage import missing
from stage2.utils import files
from stage2.utils.arrays import Ints, Mask
from stage2.utils.errors import BadInputError, RunFailedError
from stage2.utils.progress import Progress

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Again:
    """The things that mining again needs beside the lists.

    Attributes:
        context_ids: the ids of the N chunks of the corpus.
        second: the second source of negatives, or None.
    """

    context_ids: Sequence[str]
    second: SecondSource | None = None

    def of(self, lists: RankingLists, closed: Mask) -> MinedAgain:
        """Return lists that are mined again in each round; see `MinedAgain`."""
        known = {item.name: getattr(lists, item.name) for item in fields(RankingLists)}
        return MinedAgain(**known, again=self, closed=closed)


@dataclass(frozen=True)
class MinedAgain(RankingLists):
    """Lists with a corpus, whose negatives are mined again in each round.

    Attributes:
        again: what this needs beside the lists.
        closed: bool (N,), the chunks that are never negatives: those that answer questions only
            that training does not see.
        new: the number of negatives that were not in the lists of the round before.
    """

    again: Again = field(default_factory=lambda: Again(()))
    closed: Mask = field(default_factory=lambda: np.empty(0, np.bool_))
    new: int = 0

    @property
    def negatives(self) -> Ints:
        """The contexts of all negatives: int64 (m - g,)."""
        return self.contexts[~self.is_relevant]

    def with_negatives(self, contexts: Ints, counts: Ints, new: int) -> MinedAgain:
        """Return the same questions and ground truths with other negatives.

        Args:
            contexts: int64 (k,), the negatives of one question after another.
            counts: int64 (n,), how many each question has.
            new: see `new`.
        """
        own = self.is_relevant
        rows = np.arange(len(self))
        owners = np.concatenate([np.repeat(rows, self.num_relevant), np.repeat(rows, counts)])
        # The sort is stable, so that ground truths stay before negatives.
        order = np.argsort(owners, kind="stable")
        keys = tie_keys_of(self.again.context_ids)
        grades = self.grades
        if grades is not None:
            grades = np.concatenate([grades[own], np.zeros(len(contexts))])[order]
        return replace(
            self,
            candidates=np.concatenate([self.candidates[own], self.corpus[contexts]])[order],
            contexts=np.concatenate([self.contexts[own], contexts])[order],
            tie_keys=np.concatenate([self.tie_keys[own], keys[contexts]])[order],
            offsets=np.concatenate([[0], np.cumsum(self.num_relevant + counts)]).astype(np.int64),
            grades=grades,
            aside=None,
            new=new,
        )

    def state(self) -> dict[str, Any]:
        """Return the negatives as a state of training keeps them; see `restored`."""
        counts = self.lengths - self.num_relevant
        return {
            "contexts": torch.from_numpy(self.negatives),
            "counts": torch.from_numpy(counts),
            "new": self.new,
        }


def restored(lists: RankingLists, mined: Mapping[str, Any]) -> RankingLists:
    """Return the lists that a training had when its state was saved.

    Args:
        lists: the lists with which it began.
        mined: what `MinedAgain.state` returned; empty for lists that are not mined again.

    Raises:
        BadInputError: the state is of a training on other lists.
    """
    if not mined or not isinstance(lists, MinedAgain):
        return lists
    contexts, counts = mined["contexts"].numpy(), mined["counts"].numpy()
    if len(counts) != len(lists) or contexts.max(initial=-1) >= len(lists.corpus):
        raise BadInputError(
            "the state of a training on other questions. Give --resume never to start over"
        )
    return lists.with_negatives(contexts, counts, mined["new"])


def has_rounds(settings: Settings) -> bool:
    """Return whether negatives are mined again, as `stage2 run` does with --source corpus."""
    return settings.rounds > 1 and not missing("rounds", Call(settings))


def round_of(epoch: int, settings: TrainingConfig) -> int:
    """Return the round of an epoch, both counted from 1.

    The epochs are divided evenly. If they cannot be, the first rounds are the longer ones.
    """
    return (epoch - 1) * settings.rounds // settings.epochs + 1


def begins_round(epoch: int, settings: TrainingConfig) -> bool:
    """Return whether negatives are mined again before an epoch, from 1."""
    return epoch > 1 and round_of(epoch, settings) > round_of(epoch - 1, settings)


def check_rounds(settings: TrainingConfig) -> None:
    """Refuse more rounds than epochs.

    Raises:
        BadInputError: a round would have no epoch.
    """
    if settings.rounds > settings.epochs:
        raise BadInputError(
            f"--rounds {settings.rounds} with --epochs {settings.epochs}: the epochs are divided "
            f"into rounds, and a round has one epoch at least; expected --rounds at most "
            f"{settings.epochs}, or more --epochs"
        )


def drop_rounds(folder: Path) -> None:
    """Delete the files of the rounds of an earlier training."""
    for path in sorted((folder / files.ROUNDS).glob("*.jsonl")):
        path.unlink()


def keep_rounds(refit: Path, folder: Path) -> None:
    """Copy the files of the rounds of a refit to those of the training: `refit_round_N.jsonl`."""
    for path in sorted((refit / files.ROUNDS).glob("*.jsonl")):
        text = path.read_text(encoding="utf-8")
        files.write_text(folder / files.ROUNDS / f"refit_{path.name}", text)


def mine_again(
    model: Encoder,
    lists: MinedAgain,
    settings: TrainingConfig,
    number: int,
    folder: Path,
    documents: Documents | None,
    progress: Progress | None,
) -> MinedAgain:
    """Mine the negatives of a round with the model so far, and write them to `rounds/`.

    Args:
        model: the model so far.
        lists: the lists of the round before.
        settings: the settings of the training and of mining.
        number: the number of the round, from 2.
        folder: the folder of the training.
        documents: the vectors of documents if these are not trained, else None.
        progress: called after each batch that is embedded.

    Raises:
        RunFailedError: the model's vectors are not finite.
    """
    found = mine_without(
        _problem(lists, _embedded(model, lists, settings, folder, documents, progress)),
        settings, lists.closed, lists.again.second,
    )  # fmt: skip
    new = _count_new(lists, found)
    rows = source_rows(lists.qa_ids, found, lists.again.context_ids, lists.again.second)
    files.write_jsonl(folder / files.ROUNDS / files.round_file(number), rows)
    logger.info(
        "round %d of %d: mined again with the model so far, %d of %d negatives are new",
        number, settings.rounds, new, len(found.rows),
    )  # fmt: skip
    return lists.with_negatives(found.rows, np.diff(found.offsets), new)


def _embedded(
    model: Encoder,
    lists: RankingLists,
    settings: TrainingConfig,
    folder: Path,
    documents: Documents | None,
    progress: Progress | None,
) -> Embeddings:
    """Embed the questions and the corpus, which goes to disk if it exceeds the memory budget."""
    if documents is not None:
        found = embed(model, lists, settings, progress, documents)
    else:
        found = evaluate.embed(
            model, lists, settings.precision, progress, None, folder, settings.budget
        )
    if not np.isfinite(found.mu).all():
        raise RunFailedError(
            "the model's vectors are not finite, so that nothing can be mined with it. Try a lower "
            "--learning-rate"
        )
    return found


def _problem(lists: RankingLists, embeddings: Embeddings) -> Problem:
    """Describe to the miner what the lists have."""
    offsets = np.concatenate([[0], np.cumsum(lists.num_relevant)]).astype(np.int64)
    return Problem(
        embeddings.at(lists.questions),
        embeddings.at(lists.corpus),
        Positives(lists.contexts[lists.is_relevant], offsets),
        lists.tokens.same_text[lists.corpus],
        lists.qa_ids,
    )


def _count_new(lists: MinedAgain, found: Negatives) -> int:
    """Count the negatives that the lists do not have for the same question."""
    size = len(lists.corpus)
    rows = np.arange(len(lists))
    before = np.repeat(rows, lists.lengths - lists.num_relevant) * size + lists.negatives
    now = np.repeat(rows, np.diff(found.offsets)) * size + found.rows
    return int((~np.isin(now, before)).sum())
