"""Training: a loop that reads from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.amp import GradScaler

from stage2._core import Ranking
from stage2.config import TrainingConfig
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.ranking import TOPK, score, score_corpus
from stage2.training.dev_corpus import Dev, LastEpoch
from stage2.training.documents import Documents, check_parts, embed
from stage2.training.interpolation import Kept
from stage2.training.learnable import Diagnosis, diagnose, without_negative
from stage2.training.log import EpochLog, best_of, out_of_patience
from stage2.training.output import Output, bring_best, drop_earlier
from stage2.training.parameters import check_freeze, check_trainable, trainable
from stage2.training.question_batches import question_batches
from stage2.training.rounds import (
    MinedAgain,
    begins_round,
    drop_rounds,
    mine_again,
    restored,
    round_of,
)
from stage2.training.schedule import learning_rate, updates_an_epoch
from stage2.training.state import Position, State, questions_hash
from stage2.training.step import accumulate_gradients
from stage2.training.trackers import Note, tracking
from stage2.training.untouched import Untouched, untouched_of
from stage2.usage import STAGES
from stage2.utils import files, rng
from stage2.utils.arrays import Ints
from stage2.utils.device import resolve_precision
from stage2.utils.errors import BadInputError, RunFailedError
from stage2.utils.progress import Progress
from stage2.utils.signals import StoppedError, asked_to_stop
from stage2.utils.tensors import read_state_dict
from stage2.variants import LOSSES

# The arguments are the name of the work, the updates done, all updates, and the number of texts in
# the last update.
Steps = Callable[[str, int, int, int], None]


@dataclass(frozen=True)
class Callbacks:
    """The functions that a training calls.

    Attributes:
        progress: called after each update; see `Steps`.
        epoch: called with each new row of the log. A training that continues first calls it with
            the earlier rows.
    """

    progress: Steps | None = None
    epoch: Callable[[EpochLog], None] = lambda _: None


@dataclass(frozen=True)
class Trained:
    """The result of a training.

    Attributes:
        log: the rows of the training log.
        best_epoch: the epoch whose weights the model now has, as in its row of the log; 0 is stage
            1.
        diagnosis: the signs of a training that taught the model little or nothing.
    """

    log: list[EpochLog]
    best_epoch: float
    diagnosis: Diagnosis


def train(
    model: Encoder,
    lists: RankingLists,
    choice: Dev | LastEpoch,
    settings: TrainingConfig,
    folder: Path,
    callbacks: Callbacks | None = None,
    made_from: Mapping[str, Any] | None = None,
    state: State | None = None,
) -> Trained:
    """Train on `lists`, and load the best evaluation on dev questions into `model`.

    The dev questions are ranked at the end of each epoch, and every `eval_every` updates. Stage 1
    counts as epoch 0. Of equal evaluations the earliest wins. Without dev questions the last model
    counts as the best. The training writes `checkpoints/epoch_N.pt`, `checkpoints/step_N.pt`,
    `checkpoints/best_model_stage2.pt`, `training_log.jsonl` and its state into `folder`. The caller
    deletes the state when it is no longer needed.

    Args:
        model: the stage-1 model, on the device of the training.
        lists: the questions to train on, with their candidates.
        choice: the dev questions, and the metrics of stage 1 on them if they are known; or the
            epoch that training ends with.
        settings: the settings of the training.
        folder: the run folder.
        callbacks: functions that are called during the training; None means none.
        made_from: the settings and inputs by which a state is recognised; None means the settings
            of the stage `train`.
        state: the state from which the training continues, or None; see `state.find_state`.

    Raises:
        BadInputError: there is nothing to train on, the state is of other questions, or a setting
            cannot be met.
        RunFailedError: the loss, a gradient or a vector is not finite.
        StoppedError: Ctrl-C or SIGTERM stopped the training. Its state is saved.
    """
    if not len(lists):
        raise BadInputError(no_hard_examples(settings.topk))
    check_trainable(settings)
    check_parts(model, settings)
    check_freeze(model, settings.freeze)
    if LOSSES[settings.loss].negatives == "batch":
        lists = lists.without_negatives()
    dev = choice if isinstance(choice, Dev) else None
    last_epoch = settings.epochs if isinstance(choice, Dev) else choice.epoch
    if made_from is None:
        made_from = {name: getattr(settings, name) for name in STAGES["train"]}
    # This needs the weights of stage 1, so it comes before a state replaces them.
    untouched = untouched_of(model, lists, None if dev is None else dev.lists, settings)
    if state is None:
        metrics: dict[str, Any] = {}
        if dev is not None:
            known = untouched.dev_documents
            metrics = dev.stage1 or evaluate_dev(model, dev.lists, settings, documents=known)
        log = [EpochLog(0, None, 0.0, 0.0, metrics, len(lists))]
        drop_earlier(folder / files.CHECKPOINTS)
        drop_rounds(folder)
        model.save_weights(folder / files.CHECKPOINTS / files.BEST_CHECKPOINT)
    else:
        lists = restored(lists, state.mined)
        state.check_questions(lists)
        log = [EpochLog(**row) for row in state.log]
        bring_best(model, log, state.folder, folder / files.CHECKPOINTS)

    forked = torch.random.fork_rng(devices=range(torch.cuda.device_count()))
    with model.guard.training(), forked, asked_to_stop() as stopped:
        torch.manual_seed(_seed_of(settings.seed, 0))
        with trainable(model, settings) as parameters:
            # A fused optimiser reads weights, gradients and moments once. Reading takes most time.
            optimizer = torch.optim.AdamW(
                parameters, weight_decay=settings.weight_decay, fused=True
            )
            output = Output(folder, log, made_from)
            job = _Training(
                model, lists, None if dev is None else dev.lists, settings, output, optimizer,
                untouched, stopped,
            )  # fmt: skip
            if state is not None:
                job.restore(state)
            with tracking(settings, folder, job.updates_done) as note:
                job.run(callbacks or Callbacks(), note, last_epoch)

    checkpoints = folder / files.CHECKPOINTS
    last = checkpoints / log[-1].file
    ended_with = read_state_dict(last) if last.is_file() else None
    diagnosis = diagnose(log, untouched.weights, ended_with)
    model.load_state_dict(read_state_dict(checkpoints / files.BEST_CHECKPOINT))
    return Trained(log, best_of(log).epoch, diagnosis)


class _Training:
    """A running training: its state and its loop."""

    def __init__(
        self,
        model: Encoder,
        lists: RankingLists,
        dev: RankingLists | None,
        settings: TrainingConfig,
        output: Output,
        optimizer: torch.optim.Optimizer,
        untouched: Untouched,
        stopped: Callable[[], bool],
    ) -> None:
        self.model = model
        self.lists = lists
        self.dev = dev
        self.settings = settings
        self.output = output
        self.optimizer = optimizer
        self.untouched = untouched
        self.stopped = stopped
        self.position = Position()
        self.kept = Kept(untouched.weights, settings.interpolation)
        self.updates = updates_an_epoch(len(lists), settings)
        self.scaler = loss_scaler(model, settings)

    @property
    def updates_done(self) -> int:
        """The number of updates since the training began."""
        return (self.position.epoch - 1) * self.updates + self.position.update

    def run(self, callbacks: Callbacks, note: Note, last_epoch: float) -> None:
        """Train and evaluate by turns."""
        log = self.output.log
        self.output.write_log()
        for entry in log:
            callbacks.epoch(entry)
        last = max(1, round(last_epoch * self.updates))
        while self.evaluated < last and not out_of_patience(log, self.settings.patience):
            self.train_until(min(self.next_evaluation(), last), callbacks.progress, note)
            self.close(note)
            callbacks.epoch(log[-1])
        # A signal may have come after the last update.
        self.stop_if_asked()

    @property
    def evaluated(self) -> int:
        """The number of updates before the last evaluation."""
        return round(self.output.log[-1].epoch * self.updates)

    def next_evaluation(self) -> int:
        """Return the updates before the next evaluation: those of an epoch, or of `eval_every`."""
        every = [self.updates]
        if self.dev is not None and self.settings.eval_every is not None:
            every.append(self.settings.eval_every)
        return min((self.evaluated // number + 1) * number for number in every)

    def train_until(self, end: int, progress: Steps | None, note: Note) -> None:
        """Do the remaining updates of the epoch until `end` updates are done."""
        settings, epoch = self.settings, self.position.epoch
        if not self.position.update:
            self.begin_round(epoch)
            torch.manual_seed(_seed_of(settings.seed, epoch))
        batches = self.batches(epoch)
        self.model.train()
        while self.updates_done < end:
            number = self.position.update
            started = time.perf_counter()
            rows = batches[number]
            loss = self.update(rows, f"epoch {epoch}, step {number + 1}")
            seconds = time.perf_counter() - started
            self.position = self.position.after_update(loss * len(rows), seconds)

            note("train/loss", loss, self.updates_done)
            note("train/learning_rate", self.rate(self.updates_done - 1), self.updates_done)
            note("train/steps_per_second", 1 / seconds, self.updates_done)
            if progress is not None:
                texts = len(rows) + int(self.lists.lengths[rows].sum())
                progress(f"epoch {epoch}/{settings.epochs}", number + 1, self.updates, texts)
            if settings.save_every is not None and self.updates_done % settings.save_every == 0:
                self.save()
            self.stop_if_asked()
        self.model.eval()

    def begin_round(self, epoch: int) -> None:
        """Mine the negatives again, if a round begins with this epoch."""
        settings, lists = self.settings, self.lists
        if isinstance(lists, MinedAgain) and begins_round(epoch, settings):
            self.lists = mine_again(
                self.model, lists, settings, round_of(epoch, settings), self.output.folder,
                self.untouched.documents, self.stop_if_asked,
            )  # fmt: skip

    def batches(self, epoch: int) -> list[Ints]:
        """Return the questions of each update of an epoch."""
        return question_batches(
            self.lists, self.settings, epoch, self.updates, self.untouched.neighbours
        )

    def steps(self, batches: Iterable[Ints]) -> Iterator[Ints]:
        """Yield the questions of each step of some updates, in parts of `batch_size`."""
        for rows in batches:
            for start in range(0, len(rows), self.settings.batch_size):
                yield rows[start : start + self.settings.batch_size]

    def update(self, rows: Ints, where: str) -> float:
        """Update the weights by the gradient of the mean loss of the rows, and return that loss.

        The gradient is the sum over parts of `batch_size` questions.
        """
        settings = self.settings
        self.optimizer.zero_grad(set_to_none=True)
        loss = 0.0
        for start in range(0, len(rows), settings.batch_size):
            part = rows[start : start + settings.batch_size]
            loss += accumulate_gradients(
                self.model,
                self.lists,
                part,
                settings,
                len(rows),
                self.untouched,
                self.scaler,
            )
        self.scaler.unscale_(self.optimizer)
        # With an infinite limit the gradients do not change. If the norm is not finite, clipping
        # ruins the gradients, but this is found before they reach the weights.
        longest = math.inf if settings.max_grad_norm is None else settings.max_grad_norm
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), longest)
        self.check_finite(loss, norm.item(), where, rows)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(self.updates_done)
        # An update whose scaled gradients overflow is left out, and the scale is halved.
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss

    def close(self, note: Note) -> None:
        """Evaluate on dev, and write the model, the log and the state."""
        position = self.position
        try:
            with self.kept.loaded(self.model):
                metrics = self.evaluate()
        except RunFailedError as error:
            raise RunFailedError(f"{error}{self.output.kept()}") from error
        weights, step, lists = self.kept.weights(self.model), self.updates_done, self.lists
        whole = position.update == self.updates
        seen = self.batches(position.epoch)[: position.update]
        entry = EpochLog(
            epoch=position.epoch if whole else step / self.updates,
            loss=position.loss / sum(map(len, seen)),
            learning_rate=self.rate(step - 1),
            seconds=position.seconds,
            dev=metrics,
            train_examples=len(lists),
            without_negative=without_negative(lists, self.steps(seen), self.settings),
            step=step,
            round=round_of(position.epoch, self.settings) if isinstance(lists, MinedAgain) else 1,
            new_negatives=lists.new if isinstance(lists, MinedAgain) else 0,
        )
        sha256 = self.model.save_weights(self.output.checkpoints / entry.file, weights)
        entry = replace(entry, weights_sha256=sha256)
        for name, value in metrics.items():
            if isinstance(value, float):
                note(f"dev/{name}", value, step)
        self.output.log.append(entry)
        if best_of(self.output.log) is entry:
            self.model.save_weights(self.output.checkpoints / files.BEST_CHECKPOINT, weights)
        self.output.write_log()
        if whole:
            self.position = Position(position.epoch + 1)
        self.save()
        # Old files are deleted only now, since the state before this one may have needed them.
        self.output.drop_old(self.settings.keep_checkpoints)

    def evaluate(self) -> dict[str, Any]:
        """Return the metrics on the dev questions; {} if there are none."""
        if self.dev is None:
            return {}
        known = self.untouched.dev_documents
        return evaluate_dev(self.model, self.dev, self.settings, self.stop_if_asked, known)

    def rate(self, update: int) -> float:
        """Return the learning rate of an update, counted from 0."""
        return learning_rate(update, self.updates * self.settings.epochs, self.settings)

    def save(self) -> None:
        """Write the state, from which the training can continue."""
        State(
            made_from=dict(self.output.made_from),
            questions=questions_hash(self.lists),
            position=self.position,
            log=[asdict(entry) for entry in self.output.log],
            model=self.kept.trained(self.model),
            optimizer=self.optimizer.state_dict(),
            scaler=self.scaler.state_dict(),
            generators=rng.states(self.model.device),
            folder=self.output.checkpoints,
            mined=self.lists.state() if isinstance(self.lists, MinedAgain) else {},
        ).save()

    def restore(self, state: State) -> None:
        """Continue from a state, whose log `self.output` already has."""
        self.output.drop_old(self.settings.keep_checkpoints)
        self.position = state.position
        self.model.load_state_dict(state.model)
        self.optimizer.load_state_dict(state.optimizer)
        self.scaler.load_state_dict(state.scaler)
        rng.restore(self.model.device, state.generators)

    def stop_if_asked(self, *_: int) -> None:
        """Save the state and raise StoppedError if a signal has come.

        This also serves as a progress function, whose arguments it ignores.
        """
        if not self.stopped():
            return
        self.save()
        # --overwrite would delete the state.
        without = " without --overwrite" if self.settings.overwrite else ""
        raise StoppedError(
            f"training stopped in {self.position}, and its state saved in "
            f"{self.output.checkpoints / files.TRAINING_STATE}: the same command again{without} "
            "goes on from there"
        )

    def check_finite(self, loss: float, norm: float, where: str, rows: Ints) -> None:
        """Check the loss and the norm of the gradients, before they reach the weights.

        Raises:
            RunFailedError: one of them is not finite. Gradients of a scaled loss may overflow.
        """
        if math.isfinite(loss) and (math.isfinite(norm) or self.scaler.get_scale() > 1):
            return
        what = "gradient" if math.isfinite(loss) else "loss"
        ids = ", ".join(self.lists.qa_ids[row] for row in rows)
        raise RunFailedError(
            f"{where}: the {what} is not finite (loss {loss:g}); samples: {ids}. "
            f"{_calmer(self.settings)}{self.output.kept()}"
        )


def loss_scaler(model: Encoder, settings: TrainingConfig) -> GradScaler:
    """Return what scales the loss in float16, so that small gradients are not 0 there.

    In other precisions it changes nothing (Micikevicius et al. 2018, "Mixed precision training").
    """
    dtype = resolve_precision(settings.precision, model.device)
    return GradScaler(model.device.type, enabled=dtype == torch.float16)


def _calmer(settings: TrainingConfig) -> str:
    other = "" if settings.precision == "fp32" else " or --precision fp32"
    return f"Try a lower --learning-rate{other}"


def evaluate_dev(
    model: Encoder,
    dev: RankingLists,
    settings: TrainingConfig,
    progress: Progress | None = None,
    documents: Documents | None = None,
) -> dict[str, Any]:
    """Return the metrics of a model on the dev questions; see `documents.embed`.

    Raises:
        RunFailedError: the model's vectors are not finite.
    """
    return dev_ranking(model, dev, settings, progress, documents).metrics(TOPK)


def dev_ranking(
    model: Encoder,
    dev: RankingLists,
    settings: TrainingConfig,
    progress: Progress | None = None,
    documents: Documents | None = None,
) -> Ranking:
    """Rank the dev questions by a model; see `evaluate_dev`."""
    embeddings = embed(model, dev, settings, progress, documents)
    if not np.isfinite(embeddings.mu).all():
        raise RunFailedError(
            f"the model's vectors are not finite after the last update. {_calmer(settings)}"
        )
    scored = score_corpus(dev, embeddings) if len(dev.corpus) else score(dev, embeddings)
    return scored.without(dev.truths_aside).ranking


def no_hard_examples(topk: int, below: int = 0) -> str:
    """Return the message that there is no hard example to train on, and what to try.

    Args:
        topk: a question is hard if its ground truth ranks below this.
        below: the number of such questions. Their lists have no negative, or they would be hard.
    """
    if below:
        return (
            f"no hard example: {below} ground truths rank below the top {topk}, but no negative "
            "is left beside them, so there is nothing to train on. Move --range-min and "
            "--range-max, loosen margins and scores, or do without --drop-false-negatives"
        )
    return (
        f"no hard example: every ground truth ranks in the top {topk}, so there is nothing to "
        "train on. Try a smaller --topk or more --negatives"
    )


def _seed_of(seed: int, epoch: int) -> int:
    """Combine two numbers into one seed for torch."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0]) >> 1
