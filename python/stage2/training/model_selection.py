"""The choice of the model to ship: the best on dev of stage 1, the epochs, and interpolations.

Stage 1 is always a candidate. If no epoch beats stage 1, training may have gone too far.
Interpolations between stage 1 and the best epoch are tried then: they often keep a gain that the
whole way loses (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022). Beside an
epoch that helps they are only more draws of the same noise.

With `refit`, what is shipped has learnt from the dev questions too, so it is likely better than
what they measured. Then the last epoch is chosen if the dev questions cannot tell it from the best
candidate: it has learnt most, and its learning rate has fallen all the way. If they can, but cannot
tell the best epoch from stage 1, that epoch is chosen. Without `refit` the chosen model is never
worse on dev than stage 1.

If dev questions would ship stage 1 or a part of the way, or an earlier epoch that is better by what
may be chance but more than 0.01, and `cross_fit` is given, the questions of the training side are
asked too, each scored by a model that has not seen it. If all together do not tell the last epoch
from stage 1, or prefer it, the last epoch is chosen.

If by the labels of the dev questions stage 1 is no better than a random order, the labels say
nothing about it: they do not fit the questions, or the model does not read the texts. Then nothing
is chosen that is not better than stage 1 beyond chance.

With guards, a candidate that one of them calls worse is passed over, and the next on dev is judged.
If it is an epoch, interpolations between stage 1 and it are candidates then: they often keep the
gain and lose less elsewhere. Stage 1 is never passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stage2.config import TrainingConfig
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import RankingLists
from stage2.training.dev_corpus import Dev
from stage2.training.dev_evidence import NEAR_CHANCE, by_chance, says_nothing, undecided
from stage2.training.documents import Documents, documents_of
from stage2.training.guard import Guard, Judgement
from stage2.training.interpolation import interpolate
from stage2.training.log import DEV_METRIC, EpochLog
from stage2.training.train import Trained, dev_ranking
from stage2.utils import files
from stage2.utils.arrays import Doubles
from stage2.utils.tensors import copy_of_weights, read_state_dict, read_unchanged

# The weights of the epoch in the interpolations. Each costs an evaluation on dev.
ALPHAS = (0.2, 0.4, 0.6, 0.8)

# A dev metric is a mean of floats, so values that differ only in their last bits count as equal.
_DIGITS = 9

# A function of an epoch. It returns the reciprocal ranks of further questions, by models that were
# trained until that epoch without them, and by stage 1.
CrossFitted = Callable[[float], tuple[Doubles, Doubles]]

# The name of the candidate that is the model before training.
STAGE1 = "stage 1"

# The kinds of candidates, in the order of those that are equal on dev.
_KINDS = ("stage1", "epoch", "interpolation")


@dataclass(frozen=True)
class AllQuestions:
    """What dev questions and those of the training side say together about the last epoch.

    Attributes:
        questions: the number of questions, each scored by a model that has not seen it.
        before: their MRR by stage 1.
        after: their MRR by the models that were trained.
        standard_error: the standard error of the difference.
    """

    questions: int
    before: float
    after: float
    standard_error: float


@dataclass(frozen=True)
class Candidate:
    """A model that can be shipped: θ₁ + α(θ_epoch − θ₁).

    Attributes:
        name: the name for people.
        kind: `stage1`, `epoch` or `interpolation`.
        epoch: the epoch that θ_epoch is of, as in the log; 0 for stage 1.
        alpha: α; 0 for stage 1, 1 for an epoch.
        dev_value: the dev MRR.
        whole_value: the dev MRR among all chunks, if `dev_value` is among a part of them and this
            was measured; else None.
        even_with: the name of a candidate with a higher dev MRR, if this one was chosen because the
            two cannot be told apart; else None.
        standard_error: the standard error of the difference between their dev MRRs; None without
            `even_with`.
        step: the updates before θ_epoch; 0 for stage 1.
        guards: what each guard says about it; empty if it was not judged.
        by_all: what all questions say about it, if those of the training side were asked too.
        chance: the MRR of a random order, if this is stage 1 and is chosen because the labels say
            nothing, by which neither it nor the training is better than that; else None.
    """

    name: str
    kind: str
    epoch: float
    alpha: float
    dev_value: float
    whole_value: float | None = None
    even_with: str | None = None
    standard_error: float | None = None
    step: int = 0
    guards: tuple[Judgement, ...] = ()
    by_all: AllQuestions | None = None
    chance: float | None = None

    @property
    def is_worse_elsewhere(self) -> bool:
        """True if a guard calls it worse, so that it is not chosen."""
        return any(judgement.is_worse for judgement in self.guards)

    @property
    def rank(self) -> tuple[float, int, float, float]:
        """The key of the order: best on dev, then by kind, then earliest epoch and largest α.

        Stage 1 comes before whatever is no better. Of equal interpolations the one that has learnt
        most comes first.
        """
        kind = _KINDS.index(self.kind)
        return -round(self.dev_value, _DIGITS), kind, self.epoch, -self.alpha


_by_rank = attrgetter("rank")

# A function that returns the judgements of the guards about a model.
Judge = Callable[[Encoder], Sequence[Judgement]]


def choose(
    model: Encoder,
    stage1: Mapping[str, Tensor],
    log: Sequence[EpochLog],
    ranks: Callable[[Encoder], Doubles],
    checkpoints: Path,
    refits: bool = False,
    stage1_ranks: Doubles | None = None,
    judge: Judge = lambda _: (),
) -> list[Candidate]:
    """Load the best candidate on dev into `model`, and write it to `best_model_stage2.pt`.

    Interpolations are made only if no epoch is better than stage 1, or a guard calls the best one
    worse, and only between stage 1 and the best epoch. Each costs an evaluation, and the few dev
    questions could not tell more models apart.

    Args:
        model: the model that was trained, with any weights.
        stage1: its weights before training, on the CPU.
        log: the log of the training, with the dev metrics of stage 1 and of each evaluation.
        ranks: a function that returns a model's reciprocal rank of each dev question, float64 (n,).
        checkpoints: the folder of `epoch_N.pt` and `step_N.pt`. A row without its file is left out.
        refits: whether the chosen candidate is trained again on the dev questions too.
        stage1_ranks: what `ranks` returns for stage 1; None if not known yet.
        judge: a function that returns what the guards say about a model.

    Returns:
        All candidates, the chosen one first, then the best.

    Raises:
        BadInputError: the file of an epoch has changed.
    """
    found = [Candidate(STAGE1, "stage1", 0, 0.0, log[0].dev[DEV_METRIC])]
    found += [
        Candidate(entry.name, "epoch", entry.epoch, 1.0, entry.dev[DEV_METRIC], step=entry.step)
        for entry in log[1:]
        if (checkpoints / entry.file).is_file()
    ]
    rows = {entry.epoch: entry for entry in log}

    def weights(epoch: float) -> dict[str, Tensor]:
        return read_unchanged(checkpoints / rows[epoch].file, rows[epoch].weights_sha256)

    def value(candidate: Mapping[str, Tensor]) -> Doubles:
        model.load_state_dict(candidate)
        return ranks(model)

    def on_the_way(best: Candidate) -> list[Candidate]:
        end = weights(best.epoch)
        parts = []
        for alpha in ALPHAS:
            name = f"{alpha:g} of the way to {best.name}"
            mrr = float(value(interpolate(stage1, end, alpha)).mean())
            part = replace(best, name=name, kind="interpolation", alpha=alpha, dev_value=mrr)
            parts.append(replace(part, even_with=None, standard_error=None, guards=()))
        return parts

    def even(ordered: Sequence[Candidate]) -> Candidate | None:
        best = ordered[0]
        epochs = [candidate for candidate in ordered if candidate.kind == "epoch"]
        last = max(epochs, key=attrgetter("epoch"), default=best)
        if last is best:
            return None
        known = stage1_ranks if best.kind == "stage1" else None
        before = value(_weights(best, stage1, weights)) if known is None else known
        for candidate in dict.fromkeys([last, epochs[0]]):
            if candidate is not best:
                error = undecided(value(weights(candidate.epoch)), before)
                if error is not None:
                    return replace(candidate, even_with=best.name, standard_error=error)
        return None

    def judged(candidate: Candidate) -> Candidate:
        model.load_state_dict(_weights(candidate, stage1, weights))
        return replace(candidate, guards=tuple(judge(model)))

    ordered = sorted(found, key=_by_rank)
    if refits and (chosen := even(ordered)) is not None:
        ordered = [chosen, *(one for one in ordered if one.epoch != chosen.epoch)]
    elif len(found) > 1 and ordered[0].kind == "stage1":
        ordered = sorted([*found, *on_the_way(ordered[1])], key=_by_rank)
    ordered = not_worse_elsewhere(ordered, judged, on_the_way)
    model.load_state_dict(_weights(ordered[0], stage1, weights))
    model.save_weights(checkpoints / files.BEST_CHECKPOINT)
    return ordered


def not_worse_elsewhere(
    ordered: Sequence[Candidate],
    judged: Callable[[Candidate], Candidate],
    on_the_way: Callable[[Candidate], list[Candidate]],
) -> list[Candidate]:
    """Put first the best candidate that no guard calls worse.

    Args:
        ordered: the candidates, the one that dev chooses first, then the best; stage 1 is one.
        judged: returns a candidate with what the guards say about it.
        on_the_way: returns the interpolations between stage 1 and an epoch, with their dev MRR.

    Returns:
        All candidates, with those that were tried on the way.
    """
    waiting, passed = list(ordered), list[Candidate]()
    tried = any(candidate.kind == "interpolation" for candidate in ordered)
    while waiting[0].kind != "stage1":
        first = waiting[0] = judged(waiting[0])
        if not first.is_worse_elsewhere:
            break
        passed.append(waiting.pop(0))
        if first.kind == "epoch" and not tried:
            tried = True
            waiting = sorted([*waiting, *on_the_way(first)], key=_by_rank)
    return [waiting[0], *(sorted([*waiting[1:], *passed], key=_by_rank) if passed else waiting[1:])]


def judgements(
    model: Encoder, guards: Sequence[Guard], settings: TrainingConfig
) -> tuple[Judgement, ...]:
    """Return what each guard says about a model, until one calls it worse."""
    found = []
    for guard in guards:
        ranks = dev_ranking(model, guard.lists, settings).reciprocal_rank
        found.append(guard.judge(ranks))
        if found[-1].is_worse:
            break
    return tuple(found)


def choose_on_dev(
    model: Encoder,
    stage1: Mapping[str, Tensor],
    trained: Trained,
    dev: Dev,
    settings: TrainingConfig,
    checkpoints: Path,
    refits: bool = False,
    cross_fit: CrossFitted | None = None,
) -> list[Candidate]:
    """Choose the best candidate of a training, as `choose` does.

    If candidates were ranked among a part of the corpus, the chosen one must also pass the same
    comparison with stage 1 among all of it. Otherwise stage 1 is chosen.

    Args:
        model: the model that was trained.
        stage1: its weights before training, on the CPU.
        trained: the result of the training.
        dev: the dev questions, and the guards.
        settings: the settings of the training.
        checkpoints: the folder of `epoch_N.pt` and `step_N.pt`.
        refits: whether the chosen candidate is trained again on the dev questions too.
        cross_fit: asks the questions of the training side too; used with `refits` alone.

    Returns:
        All candidates, the chosen one first.
    """
    documents = documents_of(model, dev.lists, settings)

    def ranks(
        candidate: Encoder, lists: RankingLists, documents: Documents | None = None
    ) -> Doubles:
        ranking = dev_ranking(candidate, lists, settings, documents=documents)
        return ranking.reciprocal_rank

    found = choose(
        model,
        stage1,
        trained.log,
        lambda candidate: ranks(candidate, dev.lists, documents),
        checkpoints,
        refits,
        dev.stage1_ranks,
        lambda candidate: judgements(candidate, dev.guards, settings),
    )
    chance = trained.log[0].dev.get("chance", {}).get(DEV_METRIC, 0.0)
    if trained.log[0].dev[DEV_METRIC] < NEAR_CHANCE * chance:
        after = ranks(model, dev.lists, documents)
        if (before := dev.stage1_ranks) is None:
            chosen = copy_of_weights(model)
            model.load_state_dict(stage1)
            before = ranks(model, dev.lists, documents)
            model.load_state_dict(chosen)
        if says_nothing(after, before, chance):
            model.load_state_dict(stage1)
            model.save_weights(checkpoints / files.BEST_CHECKPOINT)
            first = next(one for one in found if one.kind == "stage1")
            return [replace(first, chance=chance), *(one for one in found if one is not first)]
    last = max((one for one in found if one.alpha == 1), key=attrgetter("epoch"), default=found[0])
    if cross_fit is not None and refits and last is not found[0]:
        entry = next(entry for entry in trained.log if entry.epoch == last.epoch)
        end = read_unchanged(checkpoints / entry.file, entry.weights_sha256)
        found = _all_asked(
            model, found, (stage1, end), lambda one: ranks(one, dev.lists, documents), dev,
            lambda one: judgements(one, dev.guards, settings), cross_fit,
        )  # fmt: skip
        kept = checkpoints / files.BEST_CHECKPOINT
        model.load_state_dict(end if found[0].by_all else read_state_dict(kept))
        model.save_weights(kept)
    if dev.whole is None or dev.stage1_whole is None or found[0].kind == "stage1":
        return found
    whole = ranks(model, dev.whole)
    was, now = (round(float(mrr.mean()), _DIGITS) for mrr in (dev.stage1_whole, whole))
    measured = replace(found[0], whole_value=now)
    if now > was:
        return [measured, *found[1:]]
    if refits and (error := undecided(whole, dev.stage1_whole)) is not None:
        return [replace(measured, even_with=STAGE1, standard_error=error), *found[1:]]
    model.load_state_dict(stage1)
    model.save_weights(checkpoints / files.BEST_CHECKPOINT)
    first = next(candidate for candidate in found if candidate.kind == "stage1")
    return [
        replace(first, whole_value=was),
        *(candidate for candidate in [measured, *found[1:]] if candidate.kind != "stage1"),
    ]


def _all_asked(
    model: Encoder,
    candidates: Sequence[Candidate],
    weights: tuple[Mapping[str, Tensor], Mapping[str, Tensor]],
    ranks: Callable[[Encoder], Doubles],
    dev: Dev,
    judge: Judge,
    cross_fit: CrossFitted,
) -> list[Candidate]:
    """Ask all questions about the last epoch, if chance alone may have kept it out.

    Args:
        model: the model, with the weights of the first candidate. It ends with others.
        candidates: the candidates, the one that dev questions choose first.
        weights: those of stage 1 and of the last epoch.
        ranks: a function that returns a model's reciprocal rank of each dev question, float64 (n,).
        dev: the dev questions.
        judge: a function that returns what the guards say about a model.
        cross_fit: asks the questions of the training side.
    """
    best, (stage1, end) = ranks(model), weights
    model.load_state_dict(end)
    after, guards = ranks(model), tuple(judge(model))
    last = max((one for one in candidates if one.alpha == 1), key=attrgetter("epoch"))
    judged = replace(last, guards=guards)
    found = [judged if one is last else one for one in candidates]
    is_told = candidates[0].kind == "epoch" and by_chance(after, best) is None
    if is_told or judged.is_worse_elsewhere:
        return found
    if (before := dev.stage1_ranks) is None:
        model.load_state_dict(stage1)
        before = ranks(model)
    chance = 0.0 if dev.stage1 is None else dev.stage1.get("chance", {}).get(DEV_METRIC, 0.0)
    return by_all_questions(found, (after, before), cross_fit(last.epoch), chance)


def by_all_questions(
    candidates: Sequence[Candidate],
    dev: tuple[Doubles, Doubles],
    others: tuple[Doubles, Doubles],
    chance: float = 0.0,
) -> list[Candidate]:
    """Put the last epoch first, unless all questions together tell that it is worse than stage 1.

    Args:
        candidates: the candidates, the one that dev questions choose first.
        dev: the reciprocal ranks of the dev questions, by the last epoch and by stage 1, float64
            (n,) each.
        others: those of the questions of the training side, by models that have not seen them and
            by stage 1, float64 (m,) each.
        chance: the MRR of the dev questions by a random order. If the labels say nothing, as
            `says_nothing` has it, the last epoch is not chosen.

    Returns:
        All candidates, the last epoch with what all questions say about it.
    """
    last = max((one for one in candidates if one.kind == "epoch"), key=attrgetter("epoch"))
    after, before = (np.concatenate(both) for both in zip(dev, others, strict=True))
    error = float((after - before).std(ddof=1) / np.sqrt(len(after)))
    told = AllQuestions(len(after), float(before.mean()), float(after.mean()), error)
    asked = replace(last, by_all=told)
    worse = told.after <= told.before and undecided(after, before) is None
    if worse or says_nothing(after, before, chance):
        return [asked if one is last else one for one in candidates]
    asked = replace(asked, even_with=candidates[0].name, standard_error=error)
    return [asked, *(one for one in candidates if one is not last)]


def _weights(
    candidate: Candidate,
    stage1: Mapping[str, Tensor],
    epoch_weights: Callable[[float], Mapping[str, Tensor]],
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
