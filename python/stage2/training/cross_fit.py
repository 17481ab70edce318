"""Cross-fitting: all questions that may choose are scored by models that have not seen them.

Where training gains little, the few questions of the dev side often do not see it, and prefer the
model before training. Then all questions of the training side are asked too. They are cut into
folds. The recipe is trained once for each fold, on all questions but those of the fold, and the
questions of the fold are ranked by that model.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from stage2.data.splits import Placed, folds
from stage2.data.unseen import unseen_fold
from stage2.encoding.encoder import Encoder
from stage2.evaluation.evaluate import Evaluation
from stage2.training.dev_corpus import Dev, LastEpoch, dev_of
from stage2.training.documents import documents_of
from stage2.training.questions import Recipe
from stage2.training.state import beside_main, find_state, questions_hash
from stage2.training.train import dev_ranking, train
from stage2.utils import files
from stage2.utils.arrays import Doubles, Ints

logger = logging.getLogger(__name__)

# The dev side is one fold of five by the usual shares. The training side has the others.
FOLDS = 4


@dataclass(frozen=True)
class CrossFit:
    """The questions of the training side, to be scored by models that have not seen them.

    Attributes:
        recipe: the rule for what is trained on.
        placed: the sides of all questions.
        before: the evaluation of stage 1 on the lists of the recipe.
        folder: the folder of the folds. From it a run that was stopped continues.
        made_from: the settings and inputs by which a fold's result is recognised.
    """

    recipe: Recipe
    placed: Placed
    before: Evaluation
    folder: Path
    made_from: Mapping[str, Any]

    def ranks(
        self, model: Encoder, stage1: Mapping[str, Tensor], epoch: float
    ) -> tuple[Doubles, Doubles]:
        """Train once for each fold until an epoch, and rank the questions of the fold.

        Args:
            model: the model, on its device. It ends with the weights of the last fold.
            stage1: the weights from which each fold starts, on the CPU.
            epoch: the epoch that training ends with.

        Returns:
            The reciprocal ranks of n questions after training and before it, float64 (n,) each.
            Questions without a ground truth that training has not seen are left out.

        Raises:
            RunFailedError: the loss, a gradient or a vector is not finite.
            StoppedError: Ctrl-C or SIGTERM stopped a training. Its state is saved.
        """
        after, before = [], []
        for number, (visible, dev) in enumerate(self._folds(), 1):
            logger.info(
                "fold %d of at most %d: %d questions to train on, %d are scored",
                number, FOLDS, len(self.recipe.rows(visible)), len(dev.lists),
            )  # fmt: skip
            known = dev.stage1_ranks
            assert known is not None, "`dev_of` knows the ranks of stage 1"
            before.append(known)
            model.load_state_dict(stage1)
            after.append(self._scored(model, visible, dev, epoch, self.folder / f"fold-{number}"))
        empty = [np.empty(0)]
        return np.concatenate([*empty, *after]), np.concatenate([*empty, *before])

    def _folds(self) -> Iterator[tuple[Ints, Dev]]:
        """Yield for each fold the questions that its training may see, and those to be scored."""
        train_rows, dev_rows, _ = self.placed.parts
        side = self.placed.groups.take(train_rows)
        for part in folds(side, FOLDS, self.recipe.settings.seed).parts:
            asked = train_rows[part]
            visible = np.union1d(np.setdiff1d(train_rows, asked), dev_rows)
            scored = unseen_fold(self.placed, asked, visible)
            if len(scored.rows) and len(self.recipe.rows(visible)):
                yield visible, dev_of(self.before, scored.rows, scored.aside)

    def _scored(
        self, model: Encoder, visible: Ints, dev: Dev, epoch: float, folder: Path
    ) -> Doubles:
        """Train the model without a fold; return the reciprocal rank of each of its questions.

        If an earlier attempt left them or a state of their training in `folder`, that is used.
        """
        lists, settings = self.recipe.lists_of(visible), self.recipe.settings
        known = {
            **self.made_from,
            "epoch": epoch,
            "trained_on": questions_hash(lists),
            "scored": questions_hash(dev.lists),
        }
        found = folder / files.FOLD_RANKS
        if settings.resume != "never" and found.is_file():
            earlier = files.read_json(found)
            if earlier["made_from"] == known:
                return np.asarray(earlier["reciprocal_ranks"], np.float64)
        own = beside_main(settings)
        state = find_state(own, folder, self.made_from)
        train(model, lists, LastEpoch(epoch), own, folder, None, self.made_from, state)
        documents = documents_of(model, dev.lists, own)
        ranks = dev_ranking(model, dev.lists, own, documents=documents).reciprocal_rank
        files.write_json(found, {"made_from": known, "reciprocal_ranks": ranks.tolist()})
        files.remove(folder / files.CHECKPOINTS)
        return ranks
