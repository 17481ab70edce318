"""Cross-validation: every question is scored by a model that was not trained on it.

If there are few questions, the test side of a split is too small to show anything. Here every
question is tested once. This measures the recipe of training; the shipped model is another one,
trained with the same recipe on the ordinary split.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from stage2.config import SplitConfig, TrainingConfig
from stage2.data.splits import Groups, Placed, folds
from stage2.data.unseen import unseen_fold
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.evaluate import Evaluation, evaluate
from stage2.evaluation.ranking import Ranked
from stage2.training.dev_corpus import Dev, dev_of
from stage2.training.model_selection import choose_on_dev
from stage2.training.questions import Recipe
from stage2.training.refit import refit, undo_if_worse
from stage2.training.state import beside_main, find_state, questions_hash
from stage2.training.train import train
from stage2.utils import files
from stage2.utils.errors import BadInputError
from stage2.utils.tensors import copy_of_weights, read_unchanged, save_state_dict

logger = logging.getLogger(__name__)

FOLDS = 5
FEW_QUESTIONS = 200

# One fold is tested, one chooses the model, and at least one is trained on.
_LEAST = 3


def folds_wanted(settings: SplitConfig, grouped: Groups) -> Placed | None:
    """Divide the questions into the folds of the settings, or return None for no cross-validation.

    Without --folds there is cross-validation if the questions are few.

    Raises:
        BadInputError: the questions cannot be divided into enough folds for --folds.
    """
    asked = settings.folds
    if asked is None:
        few = len(grouped.names) < FEW_QUESTIONS
        found = folds(grouped, FOLDS, settings.seed) if few else None
        return found if found and len(found.parts) >= _LEAST else None
    if not asked:
        return None
    found = folds(grouped, asked, settings.seed)
    if len(found.parts) < _LEAST:
        raise BadInputError(
            f"--folds {asked} cuts {len(grouped.names)} questions of {grouped.units} different "
            f"wordings into {len(found.parts)} folds; expected {_LEAST} or more: to train on, to "
            "choose on and to test on. Give more --folds, more questions, or --folds 0 for none"
        )
    return found


def cross_validate(
    model: Encoder,
    stage1: Mapping[str, Tensor],
    recipe: Recipe,
    folded: Placed,
    before: Evaluation,
    folder: Path,
    made_from: Mapping[str, Any],
) -> tuple[dict[str, Ranked], list[dict[str, Any]]]:
    """Score each fold with a model that was trained on other folds.

    For each fold the next fold chooses among the candidates, and the others are trained on. With
    `refit` the next fold is trained on too once it has chosen.

    Args:
        model: the model, on its device. It ends with the weights of the last fold.
        stage1: the weights from which each fold starts, on the CPU.
        recipe: the rule for what is trained on.
        folded: the folds; see `folds_wanted`. Where they share ground truths, a fold chooses by
            those that its training has not seen.
        before: the evaluation of stage 1 on the lists of the recipe.
        folder: the folder of the folds' models, which the caller deletes. From it a run that was
            stopped continues with the same fold.
        made_from: the settings and inputs of the training; see `RunFolder.made_from`.

    Returns:
        The ranks of all questions by source, and the facts about each fold for `run.json`.
    """
    untrained = before.by_source()
    after: dict[str, list[Ranked]] = {source: [] for source in untrained}
    lists, settings, facts = recipe.lists, recipe.settings, []
    parts = folded.parts
    for number, test in enumerate(parts):
        dev = parts[(number + 1) % len(parts)]
        visible = np.setdiff1d(np.arange(len(lists)), np.concatenate([test, dev]))
        seen = recipe.rows(visible)
        name, dev_value = "stage 1", None
        if len(seen):
            logger.info(
                "fold %d of %d: %d questions to train on, %d questions choose, %d are scored",
                number + 1, len(parts), len(seen), len(dev), len(test),
            )  # fmt: skip
            choosing = unseen_fold(folded, dev, visible).or_all
            name, dev_value = _bring_chosen(
                model, stage1, recipe.lists_of(visible), recipe.refit_lists(visible, dev),
                recipe.guarded(dev_of(before, choosing.rows, choosing.aside)), settings,
                folder / f"fold-{number + 1}", made_from,
            )  # fmt: skip
            found = evaluate(
                model, lists.subset(test), settings.precision, None, None, folder.parent,
                settings.budget,
            ).by_source()  # fmt: skip
        else:
            found = {source: ranked.take(test) for source, ranked in untrained.items()}
        for source, ranked in after.items():
            ranked.append(found[source])
        facts.append({"test": len(test), "dev": len(dev), "trained_on": len(seen),
                      "chosen": name, "dev_value": dev_value})  # fmt: skip
    in_order = np.argsort(np.concatenate(parts))
    return {source: Ranked.concat(ranked).take(in_order) for source, ranked in after.items()}, facts


def _bring_chosen(
    model: Encoder,
    stage1: Mapping[str, Tensor],
    lists: RankingLists,
    again: RankingLists | None,
    dev: Dev,
    settings: TrainingConfig,
    folder: Path,
    made_from: Mapping[str, Any],
) -> tuple[str, float]:
    """Train one fold, and load the candidate that it chooses into `model`.

    If an earlier attempt left its result or its state in `folder`, that is used.

    Returns:
        The name of the candidate and its dev MRR.
    """
    chosen, weights = folder / files.CHOSEN, folder / files.CHOSEN_WEIGHTS
    known = {
        **made_from,
        "trained_on": questions_hash(lists),
        "chosen_on": questions_hash(dev.lists),
    }
    if settings.resume != "never" and chosen.is_file():
        earlier = files.read_json(chosen)
        if earlier["made_from"] == known:
            model.load_state_dict(read_unchanged(weights, earlier["weights_sha256"]))
            return earlier["name"], earlier["dev_value"]
    settings = beside_main(settings)
    state = find_state(settings, folder, made_from)
    if state is None:
        files.remove(folder / files.REFIT)
    model.load_state_dict(stage1)
    trained = train(model, lists, dev, settings, folder, None, made_from, state)
    candidates = choose_on_dev(
        model, stage1, trained, dev, settings, folder / files.CHECKPOINTS, again is not None
    )
    if again is not None and candidates[0].kind != "stage1":
        found = copy_of_weights(model)
        refit(model, stage1, candidates[0], again, settings, folder / files.REFIT, None, made_from)
        candidates, _ = undo_if_worse(model, stage1, found, candidates, dev.guards, settings)
    best = candidates[0]
    content = {
        "made_from": known,
        "name": best.name,
        "dev_value": best.dev_value,
        "weights_sha256": save_state_dict(model.state_dict(), weights),
    }
    files.write_json(chosen, content)
    files.remove(folder / files.CHECKPOINTS)
    files.remove(folder / files.REFIT)
    return best.name, best.dev_value
