"""Never worse: stage 1, every epoch and the way between them, of which the best on dev is shipped.

Fine-tuned weights often lose on what training did not show them; a part of the way from stage 1
keeps most of what was won (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from stage2.config import TrainingConfig
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import RankingLists
from stage2.training.dev_corpus import Dev
from stage2.training.log import DEV_METRIC, EpochLog
from stage2.training.train import Trained, evaluate_dev
from stage2.utils import files
from stage2.utils.tensors import read_unchanged

# Each costs an evaluation on dev, as an epoch does.
ALPHAS = (0.2, 0.4, 0.6, 0.8)

# A dev metric is a mean of floats: values that differ in their last bits alone are equal.
_DIGITS = 9


@dataclass(frozen=True)
class Candidate:
    """A model that may be shipped: θ₁ + α(θ_epoch − θ₁).

    Attributes:
        name: as people read it.
        kind: `stage1`, `epoch` or `interpolation`.
        epoch: whose weights; 0 is stage 1.
        alpha: how far from stage 1 to them; 0 is stage 1, 1 the epoch itself.
        dev_value: its dev MRR.
        whole_value: the same among all chunks, where `dev_value` is among a part of them and it was
            measured.
    """

    name: str
    kind: str
    epoch: int
    alpha: float
    dev_value: float
    whole_value: float | None = None

    @property
    def rank(self) -> tuple[float, float, int]:
        """Orders the best on dev first; of equals the smallest change, the earliest epoch."""
        return -round(self.dev_value, _DIGITS), self.alpha * self.epoch, self.epoch


def interpolate(
    start: Mapping[str, Tensor], end: Mapping[str, Tensor], alpha: float
) -> dict[str, Tensor]:
    """θ₁ + α(θ₂ − θ₁), of floating-point tensors; others are those of θ₁.

    Args:
        start: θ₁, a state_dict on the CPU.
        end: θ₂, of the same names and shapes.
        alpha: 0 gives θ₁, 1 gives θ₂.
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
    """Leave in `model`, and in `best_model_stage2.pt`, the best candidate on dev.

    The interpolations lead to the best epoch: those to every epoch would cost as much again for
    each, and ask of few dev questions to tell many models apart.

    Args:
        model: that was trained; its weights may be any.
        stage1: its weights before training, on the CPU.
        log: of the training: dev metrics of stage 1 and of each epoch, and the hash of its file.
        evaluate: gives the dev MRR of a model.
        checkpoints: folder of `epoch_N.pt`; epochs whose files are gone are left out.

    Returns:
        All candidates, the best first.
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

    if len(found) > 1:
        epoch = min(found[1:], key=lambda candidate: candidate.rank).epoch
        end = weights(epoch)
        for alpha in ALPHAS:
            model.load_state_dict(interpolate(stage1, end, alpha))
            name = f"{alpha:g} of the way to epoch {epoch}"
            found.append(Candidate(name, "interpolation", epoch, alpha, evaluate(model)))
    ordered = sorted(found, key=lambda candidate: candidate.rank)
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
    """Choose among what a training left behind; see `choose`.

    What was best among a part of the corpus must beat stage 1 among all of it, or stage 1 stays.
    """

    def value(candidate: Encoder, lists: RankingLists) -> float:
        return float(evaluate_dev(candidate, lists, settings)[DEV_METRIC])

    found = choose(
        model,
        stage1,
        trained.log,
        lambda candidate: value(candidate, dev.lists),
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
    """The mean of the floating-point tensors of several state_dicts; others are the first's.

    Sums are in float64, so that the order of the models leaves at most the last bit.
    """
    merged = dict(states[0])
    for name, tensor in states[0].items():
        if tensor.is_floating_point():
            total = torch.stack([state[name].double() for state in states]).mean(dim=0)
            merged[name] = total.to(tensor.dtype)
    return merged
