"""Refitting: once dev questions have chosen, training again on them and the training side together.

Dev questions are lost to training while they choose. After the choice there is no reason to leave
them out. The same recipe is trained again from stage 1 on the questions of both sides, up to the
epoch that was chosen, and as much of the way is kept as was chosen. No question is left to measure
the refitted model before the test questions do.

With guards the refitted model is judged once more. If one calls it worse, the candidate is shipped
as it was before the refit, which no guard called worse. If dev questions could not tell this one
from stage 1, it was chosen for what the refit would add; then stage 1 is shipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from stage2.config import TrainingConfig
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import RankingLists
from stage2.training.dev_corpus import LastEpoch
from stage2.training.guard import Guard, Judgement
from stage2.training.interpolation import interpolate
from stage2.training.model_selection import STAGE1, Candidate, judgements
from stage2.training.state import beside_main, find_state
from stage2.training.train import Callbacks, train
from stage2.utils.tensors import copy_of_weights


def refit(
    model: Encoder,
    stage1: Mapping[str, Tensor],
    chosen: Candidate,
    lists: RankingLists,
    settings: TrainingConfig,
    folder: Path,
    callbacks: Callbacks | None,
    made_from: Mapping[str, Any],
) -> None:
    """Load into `model` what the recipe of the chosen candidate makes of `lists`.

    Args:
        model: the model, on its device, with any weights.
        stage1: its weights before training, on the CPU.
        chosen: an epoch or an interpolation.
        lists: the questions of the training side and the dev side.
        settings: the settings of the training.
        folder: the folder of this training. If an earlier attempt left its state there, training
            continues from it.
        callbacks: functions that are called during the training; None means none.
        made_from: the settings and inputs by which a state is recognised.

    Raises:
        BadInputError: the state is of another training.
        RunFailedError: the loss, a gradient or a vector is not finite.
        StoppedError: Ctrl-C or SIGTERM stopped the training. Its state is saved.
    """
    own = beside_main(settings)
    state = find_state(own, folder, made_from)
    model.load_state_dict(stage1)
    train(model, lists, LastEpoch(chosen.epoch), own, folder, callbacks, made_from, state)
    if chosen.alpha < 1:
        model.load_state_dict(interpolate(stage1, copy_of_weights(model), chosen.alpha))


def undo_if_worse(
    model: Encoder,
    stage1: Mapping[str, Tensor],
    chosen: Mapping[str, Tensor],
    candidates: Sequence[Candidate],
    guards: Sequence[Guard],
    settings: TrainingConfig,
) -> tuple[list[Candidate], tuple[Judgement, ...]]:
    """Load what is shipped in place of a refitted model that a guard calls worse.

    Args:
        model: the refitted model.
        stage1: the weights of stage 1, on the CPU.
        chosen: the weights of the chosen candidate before the refit, on the CPU.
        candidates: all candidates, the chosen one first.
        guards: the guards.
        settings: the settings of the training.

    Returns:
        The candidates, the one that is shipped first; and what the guards say about the refitted
        model, empty if none calls it worse.
    """
    found = judgements(model, guards, settings)
    if not any(judgement.is_worse for judgement in found):
        return list(candidates), ()
    if candidates[0].even_with != STAGE1:
        model.load_state_dict(chosen)
        return list(candidates), found
    model.load_state_dict(stage1)
    first = next(candidate for candidate in candidates if candidate.kind == "stage1")
    return [first, *(candidate for candidate in candidates if candidate is not first)], found
