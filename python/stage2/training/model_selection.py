"""The choice of the model to ship: the best on dev of stage 1, the epochs, and interpolations.

Stage 1 is always a candidate, so the chosen model is never worse on dev. If no epoch beats stage 1,
training may have gone too far. Interpolations between stage 1 and the best epoch are tried then:
they often keep a gain that the whole way loses (Wortsman et al., "Robust fine-tuning of zero-shot
models", CVPR 2022). Beside an epoch that helps they are only more draws of the same noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

import torch
from torch import Tensor

from stage2.config import TrainingConfig
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import RankingLists
from stage2.training.dev_corpus import Dev
from stage2.training.documents import Documents, documents_of
from stage2.training.log import DEV_METRIC, EpochLog
from stage2.training.train import Trained, evaluate_dev
from stage2.utils import files
from stage2.utils.tensors import read_unchanged

# The weights of the epoch in the interpolations. Each costs an evaluation on dev.
ALPHAS = (0.2, 0.4, 0.6, 0.8)

# A dev metric is a mean of floats, so values that differ only in their last bits count as equal.
_DIGITS = 9

# The kinds of candidates, in the order of those that are equal on dev.
_KINDS = ("stage1", "epoch", "interpolation")


@dataclass(frozen=True)
class Candidate:
    """A model that can be shipped: θ₁ + α(θ_epoch − θ₁).

    Attributes:
        name: the name for people.
        kind: `stage1`, `epoch` or `interpolation`.
        epoch: the epoch that θ_epoch is of; 0 for stage 1.
        alpha: α; 0 for stage 1, 1 for an epoch.
        dev_value: the dev MRR.
        whole_value: the dev MRR among all chunks, if `dev_value` is among a part of them and this
            was measured; else None.
    """

    name: str
    kind: str
    epoch: int
    alpha: float
    dev_value: float
    whole_value: float | None = None

    @property
    def rank(self) -> tuple[float, int, int, float]:
        """The key of the order: best on dev, then by kind, then earliest epoch and largest α.

        Stage 1 comes before whatever is no better. Of equal interpolations the one that has learnt
        most comes first.
        """
        kind = _KINDS.index(self.kind)
        return -round(self.dev_value, _DIGITS), kind, self.epoch, -self.alpha


_by_rank = attrgetter("rank")


def interpolate(
    start: Mapping[str, Tensor], end: Mapping[str, Tensor], alpha: float
) -> dict[str, Tensor]:
    """Return θ₁ + α(θ₂ − θ₁). Tensors that are not of floating point are those of θ₁.

    Args:
        start: θ₁, a state_dict on the CPU.
        end: θ₂, with the same names and shapes.
        alpha: α, from 0 to 1.
    """
    return {
        name: tensor.lerp(end[name], alpha) if tensor.is_floating_point() else tensor
        for name, tensor in start.items()
    }


def choose(
    model: Encoder,
    stage1: Mapping[str, Tensor],
    log: Sequence[EpochLog],
    evaluate: Callable[[Encoder], float],
    checkpoints: Path,
) -> list[Candidate]:
    """Load the best candidate on dev into `model`, and write it to `best_model_stage2.pt`.

    Interpolations are made only if no epoch is better than stage 1, and only between stage 1 and
    the best epoch. Each costs an evaluation, and the few dev questions could not tell more models
    apart.

    Args:
        model: the model that was trained, with any weights.
        stage1: its weights before training, on the CPU.
        log: the log of the training, with the dev metrics of stage 1 and of each epoch.
        evaluate: a function that returns the dev MRR of a model.
        checkpoints: the folder of `epoch_N.pt`. An epoch without its file is left out.

    Returns:
        All candidates, the best first.

    Raises:
        BadInputError: the file of an epoch has changed.
    """
    found = [Candidate("stage 1", "stage1", 0, 0.0, log[0].dev[DEV_METRIC])]
    found += [
        Candidate(f"epoch {entry.epoch}", "epoch", entry.epoch, 1.0, entry.dev[DEV_METRIC])
        for entry in log[1:]
        if (checkpoints / f"epoch_{entry.epoch}.pt").is_file()
    ]
    hashes = {entry.epoch: entry.weights_sha256 for entry in log}

    def weights(epoch: int) -> dict[str, Tensor]:
        return read_unchanged(checkpoints / f"epoch_{epoch}.pt", hashes[epoch])

    if len(found) > 1 and min(found, key=_by_rank).kind == "stage1":
        epoch = min(found[1:], key=_by_rank).epoch
        end = weights(epoch)
        for alpha in ALPHAS:
            model.load_state_dict(interpolate(stage1, end, alpha))
            name = f"{alpha:g} of the way to epoch {epoch}"
            found.append(Candidate(name, "interpolation", epoch, alpha, evaluate(model)))
    ordered = sorted(found, key=_by_rank)
    model.load_state_dict(_weights(ordered[0], stage1, weights))
    model.save_weights(checkpoints / files.BEST_CHECKPOINT)
    return ordered


def choose_on_dev(
    model: Encoder,
    stage1: Mapping[str, Tensor],
    trained: Trained,
    dev: Dev,
    settings: TrainingConfig,
    checkpoints: Path,
) -> list[Candidate]:
    """Choose the best candidate of a training, as `choose` does.

    If candidates were ranked among a part of the corpus, the best one must also beat stage 1 among
    all of it. Otherwise stage 1 is chosen.

    Args:
        model: the model that was trained.
        stage1: its weights before training, on the CPU.
        trained: the result of the training.
        dev: the dev questions.
        settings: the settings of the training.
        checkpoints: the folder of `epoch_N.pt`.

    Returns:
        All candidates, the chosen one first.
    """
    documents = documents_of(model, dev.lists, settings)

    def value(candidate: Encoder, lists: RankingLists, documents: Documents | None = None) -> float:
        return float(evaluate_dev(candidate, lists, settings, documents=documents)[DEV_METRIC])

    found = choose(
        model,
        stage1,
        trained.log,
        lambda candidate: value(candidate, dev.lists, documents),
        checkpoints,
    )
    if dev.whole is None or found[0].kind == "stage1":
        return found
    whole = round(value(model, dev.whole), _DIGITS)
    if whole > round(dev.stage1_whole, _DIGITS):
        return [replace(found[0], whole_value=whole), *found[1:]]
    model.load_state_dict(stage1)
    model.save_weights(checkpoints / files.BEST_CHECKPOINT)
    first = next(candidate for candidate in found if candidate.kind == "stage1")
    others = [replace(found[0], whole_value=whole), *found[1:]]
    return [
        replace(first, whole_value=dev.stage1_whole),
        *(candidate for candidate in others if candidate.kind != "stage1"),
    ]


def _weights(
    candidate: Candidate,
    stage1: Mapping[str, Tensor],
    epoch_weights: Callable[[int], Mapping[str, Tensor]],
) -> Mapping[str, Tensor]:
    if candidate.kind == "stage1":
        return stage1
    end = epoch_weights(candidate.epoch)
    return end if candidate.kind == "epoch" else interpolate(stage1, end, candidate.alpha)


def mean_of(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of several state_dicts.

    Tensors that are not of floating point are those of the first. The mean is computed in float64,
    so that the order of the models can change only the last bit.
    """
    merged = dict(states[0])
    for name, tensor in states[0].items():
        if tensor.is_floating_point():
            total = torch.stack([state[name].double() for state in states]).mean(dim=0)
            merged[name] = total.to(tensor.dtype)
    return merged
