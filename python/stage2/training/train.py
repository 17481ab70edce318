"""Training: a loop that reads from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stage2.config import TrainingConfig
from stage2.encoding.encode import encode_tokens
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.ranking import TOPK, score, score_corpus
from stage2.training.dev_corpus import Dev
from stage2.training.learnable import Diagnosis, diagnose, without_negative
from stage2.training.log import EpochLog, best_of, out_of_patience
from stage2.training.parameters import check_trainable, plain_state, trainable
from stage2.training.schedule import learning_rate
from stage2.training.state import Position, State, questions_hash
from stage2.training.step import accumulate_gradients
from stage2.training.trackers import Note, tracking
from stage2.usage import STAGES
from stage2.utils import files, rng
from stage2.utils.arrays import Floats, Ints
from stage2.utils.errors import BadInputError, RunFailedError
from stage2.utils.progress import Progress
from stage2.utils.signals import StoppedError, asked_to_stop
from stage2.utils.tensors import read_state_dict, read_unchanged
from stage2.variants import LOSSES

# Called with (what, updates done, updates in all, texts of the last).
Steps = Callable[[str, int, int, int], None]


@dataclass(frozen=True)
class Callbacks:
    """The functions that a training calls on its way.

    Attributes:
        progress: called with (what, updates done, updates in all, texts of the last).
        epoch: called with each row of the log as it comes; with those of a state at once.
    """

    progress: Steps | None = None
    epoch: Callable[[EpochLog], None] = lambda _: None


@dataclass(frozen=True)
class Trained:
    """The result of a training.

    Attributes:
        log: its rows.
        best_epoch: which of the candidates the model now is.
        diagnosis: what is wrong with the training, if it taught the model little or nothing.
    """

    log: list[EpochLog]
    best_epoch: int
    diagnosis: Diagnosis


def train(
    model: Encoder,
    lists: RankingLists,
    dev: Dev,
    settings: TrainingConfig,
    folder: Path,
    callbacks: Callbacks | None = None,
    made_from: Mapping[str, Any] | None = None,
    state: State | None = None,
) -> Trained:
    """Train on `lists` and leave in `model` the best candidate on `dev`.

    The candidates are the model as it came and every epoch; the earliest of equals wins. Written
    to `folder` as they come: `checkpoints/epoch_N.pt`, `checkpoints/best_model_stage2.pt`,
    `training_log.jsonl` and the state to go on from, which is the caller's to delete once it has
    what it came for: whatever ends the run keeps what is done.

    Args:
        model: stage 1, on the device to train on.
        lists: hard examples.
        dev: questions that choose among the candidates, and the metrics of the model as it came
            where they are known already.
        settings: those of the stage `train`, and what of it is saved and shown.
        folder: of the run.
        callbacks: functions to call on the way; default none.
        made_from: what a state is told from others by; default: the settings of the stage.
        state: of this training, to go on from; see `state.find_state`.

    Raises:
        BadInputError: there is nothing to train on, the state is of other questions, or the
            settings ask for what is not there.
        RunFailedError: the loss or a gradient is not finite.
        StoppedError: Ctrl-C or SIGTERM; the state is saved.
    """
    if not len(lists):
        raise BadInputError(no_hard_examples(settings.topk))
    check_trainable(settings)
    if LOSSES[settings.loss].negatives == "batch":
        lists = lists.without_negatives()
    if made_from is None:
        made_from = {name: getattr(settings, name) for name in STAGES["train"]}
    # These need stage 1, before a state brings other weights.
    started_from = {name: tensor.cpu().clone() for name, tensor in model.state_dict().items()}
    teacher = _teacher(model, lists, settings)
    if state is None:
        metrics = dev.stage1 or evaluate_dev(model, dev.lists, settings)
        log = [EpochLog(0, None, 0.0, 0.0, metrics, len(lists))]
        _drop_earlier(folder / files.CHECKPOINTS)
        model.save_weights(folder / files.CHECKPOINTS / files.BEST_CHECKPOINT)
    else:
        state.check_questions(lists)
        log = [EpochLog(**row) for row in state.log]
        _bring_best(model, log, state.folder, folder / files.CHECKPOINTS)

    forked = torch.random.fork_rng(devices=range(torch.cuda.device_count()))
    with model.guard.training(), forked, asked_to_stop() as stopped:
        torch.manual_seed(_seed_of(settings.seed, 0))
        with trainable(model, settings) as parameters:
            # Fused: weights, gradients and moments are read once, and reading is what takes time.
            optimizer = torch.optim.AdamW(
                parameters, weight_decay=settings.weight_decay, fused=True
            )
            output = _Output(folder, log, made_from)
            job = _Training(model, lists, dev.lists, settings, output, optimizer, teacher, stopped)
            if state is not None:
                job.restore(state)
            with tracking(settings, folder, job.updates_done) as note:
                job.run(callbacks or Callbacks(), note)

    checkpoints = folder / files.CHECKPOINTS
    last = checkpoints / f"epoch_{log[-1].epoch}.pt"
    ended_with = read_state_dict(last) if last.is_file() else None
    diagnosis = diagnose(log, started_from, ended_with)
    model.load_state_dict(read_state_dict(checkpoints / files.BEST_CHECKPOINT))
    return Trained(log, best_of(log).epoch, diagnosis)


@dataclass(frozen=True)
class _Output:
    """The files that a training writes.

    Attributes:
        folder: of the run.
        log: rows of the training log so far; it grows.
        made_from: what the state is told from others by.
    """

    folder: Path
    log: list[EpochLog]
    made_from: Mapping[str, Any]

    @property
    def checkpoints(self) -> Path:
        """Where models and the state go."""
        return self.folder / files.CHECKPOINTS

    def write_log(self) -> None:
        """Write the log up to the last whole epoch."""
        files.write_jsonl(self.folder / files.TRAINING_LOG, [asdict(row) for row in self.log])

    def drop_old(self, keep: int | None) -> None:
        """Delete the files of all epochs but the last `keep`; never the best."""
        if keep is None:
            return
        for entry in self.log[1:-keep]:
            if entry is not best_of(self.log):
                (self.checkpoints / f"epoch_{entry.epoch}.pt").unlink(missing_ok=True)

    def kept(self) -> str:
        """Say where the best model so far is, for a run that fails."""
        if (self.folder / files.ASIDE).is_dir():
            return ""  # what --overwrite set aside comes back in place of it
        return f". The best model so far is kept in {self.checkpoints / files.BEST_CHECKPOINT}"


class _Training:
    """A training under way: all that its state is made of, and the loop."""

    def __init__(
        self,
        model: Encoder,
        lists: RankingLists,
        dev: RankingLists,
        settings: TrainingConfig,
        output: _Output,
        optimizer: torch.optim.Optimizer,
        teacher: Floats | None,
        stopped: Callable[[], bool],
    ) -> None:
        self.model = model
        self.lists = lists
        self.dev = dev
        self.settings = settings
        self.output = output
        self.optimizer = optimizer
        self.teacher = teacher
        self.stopped = stopped
        self.position = Position()
        self.questions = settings.batch_size * settings.accumulate
        self.updates = math.ceil(len(lists) / self.questions)

    @property
    def updates_done(self) -> int:
        """Updates since the training began."""
        return (self.position.epoch - 1) * self.updates + self.position.update

    def run(self, callbacks: Callbacks, note: Note) -> None:
        """Train and evaluate, epoch by epoch."""
        log = self.output.log
        self.output.write_log()
        for entry in log:
            callbacks.epoch(entry)
        while self.position.epoch <= self.settings.epochs:
            if out_of_patience(log, self.settings.patience):
                break
            self.train_epoch(callbacks.progress, note)
            self.close_epoch(note)
            callbacks.epoch(log[-1])
        # A signal may have come after the last question was looked at.
        self.stop_if_asked()

    def train_epoch(self, progress: Steps | None, note: Note) -> None:
        """Do what is left of the epoch's updates."""
        settings, epoch = self.settings, self.position.epoch
        if not self.position.update:
            torch.manual_seed(_seed_of(settings.seed, epoch))
        batches = self.batches(epoch)
        self.model.train()
        for number in range(self.position.update, self.updates):
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

    def batches(self, epoch: int) -> list[Ints]:
        """The questions of each of an epoch's updates, in an order that the seed decides.

        Where the batch's ground truths are the negatives, questions of one chunk, and rows of one
        question, go to different batches, as long as there are batches: together they would have a
        negative less.
        """
        random = np.random.default_rng([self.settings.seed, epoch])
        order = random.permutation(len(self.lists))
        if LOSSES[self.settings.loss].negatives != "batch":
            return np.split(order, range(self.questions, len(order), self.questions))
        chunks = self.lists.first_ground_truths[order]
        dealt = order[np.lexsort((random.permutation(chunks.max() + 1)[chunks],))]
        return [dealt[number :: self.updates] for number in range(self.updates)]

    def steps(self, epoch: int) -> Iterator[Ints]:
        """The questions of each of an epoch's steps: of its updates in parts of --batch-size."""
        for rows in self.batches(epoch):
            for start in range(0, len(rows), self.settings.batch_size):
                yield rows[start : start + self.settings.batch_size]

    def update(self, rows: Ints, where: str) -> float:
        """Move the weights by the gradient of the rows' mean loss, and return that loss.

        The gradient comes in parts of --batch-size questions, whose sum it is.
        """
        settings = self.settings
        self.optimizer.zero_grad(set_to_none=True)
        loss = 0.0
        for start in range(0, len(rows), settings.batch_size):
            part = rows[start : start + settings.batch_size]
            loss += accumulate_gradients(
                self.model, self.lists, part, settings, len(rows), self.teacher
            )
        # Below an infinite norm every gradient stays as it is. A norm that is not finite ruins the
        # gradients, but it is found before they reach the weights.
        longest = math.inf if settings.max_grad_norm is None else settings.max_grad_norm
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), longest)
        self.check_finite(loss, norm.item(), where, rows)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(self.updates_done)
        self.optimizer.step()
        return loss

    def close_epoch(self, note: Note) -> None:
        """Evaluate, and write what the epoch came to."""
        position = self.position
        try:
            metrics = evaluate_dev(self.model, self.dev, self.settings, self.stop_if_asked)
        except RunFailedError as error:
            raise RunFailedError(f"{error}{self.output.kept()}") from error
        weights = plain_state(self.model)
        path = self.output.checkpoints / f"epoch_{position.epoch}.pt"
        entry = EpochLog(
            epoch=position.epoch,
            loss=position.loss / len(self.lists),
            learning_rate=self.rate(self.updates_done - 1),
            seconds=position.seconds,
            dev=metrics,
            train_examples=len(self.lists),
            weights_sha256=self.model.save_weights(path, weights),
            without_negative=without_negative(
                self.lists, self.steps(position.epoch), self.settings
            ),
        )
        for name, value in metrics.items():
            if isinstance(value, float):
                note(f"dev/{name}", value, self.updates_done)
        self.output.log.append(entry)
        if best_of(self.output.log) is entry:
            self.model.save_weights(self.output.checkpoints / files.BEST_CHECKPOINT, weights)
        self.output.write_log()
        self.position = Position(position.epoch + 1)
        self.save()
        # Only now: the state before this one may need a model that is not kept.
        self.output.drop_old(self.settings.keep_checkpoints)

    def rate(self, update: int) -> float:
        """Learning rate of an update, counted from 0."""
        return learning_rate(update, self.updates * self.settings.epochs, self.settings)

    def save(self) -> None:
        """Write the state to go on from."""
        State(
            made_from=dict(self.output.made_from),
            questions=questions_hash(self.lists),
            position=self.position,
            log=[asdict(entry) for entry in self.output.log],
            model=self.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            generators=rng.states(self.model.device),
            folder=self.output.checkpoints,
        ).save()

    def restore(self, state: State) -> None:
        """Go back to a state; the log was brought already."""
        self.output.drop_old(self.settings.keep_checkpoints)
        self.position = state.position
        self.model.load_state_dict(state.model)
        self.optimizer.load_state_dict(state.optimizer)
        rng.restore(self.model.device, state.generators)

    def stop_if_asked(self, *_: int) -> None:
        """Save and raise StoppedError where a signal has come; serves as a progress function."""
        if not self.stopped():
            return
        self.save()
        # With that flag the state would be deleted.
        without = " without --overwrite" if self.settings.overwrite else ""
        raise StoppedError(
            f"training stopped in {self.position}, and its state saved in "
            f"{self.output.checkpoints / files.TRAINING_STATE}: the same command again{without} "
            "goes on from there"
        )

    def check_finite(self, loss: float, norm: float, where: str, rows: Ints) -> None:
        """Raise RunFailedError before a step that would ruin the weights."""
        if math.isfinite(loss) and math.isfinite(norm):
            return
        what = "gradient" if math.isfinite(loss) else "loss"
        ids = ", ".join(self.lists.qa_ids[row] for row in rows)
        raise RunFailedError(
            f"{where}: the {what} is not finite (loss {loss:g}); samples: {ids}. "
            f"{_calmer(self.settings)}{self.output.kept()}"
        )


def _calmer(settings: TrainingConfig) -> str:
    other = "" if settings.precision == "fp32" else " or --precision fp32"
    return f"Try a lower --learning-rate{other}"


def evaluate_dev(
    model: Encoder,
    dev: RankingLists,
    settings: TrainingConfig,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Metrics of the questions that choose among the candidates.

    Raises:
        RunFailedError: the weights have become such that vectors are not finite.
    """
    embeddings = encode_tokens(model, dev.tokens, precision=settings.precision, progress=progress)
    if not np.isfinite(embeddings.mu).all():
        raise RunFailedError(
            f"the model's vectors are not finite after the last update. {_calmer(settings)}"
        )
    scored = score_corpus(dev, embeddings) if len(dev.corpus) else score(dev, embeddings)
    return scored.ranking.metrics(TOPK)


def no_hard_examples(topk: int, below: int = 0) -> str:
    """What to say, and to try, where there is no hard example to train on.

    Args:
        topk: a question is hard whose ground truth ranks below it.
        below: how many questions are such; their lists hold no negative to train on.
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


def _teacher(model: Encoder, lists: RankingLists, settings: TrainingConfig) -> Floats | None:
    """Stage 1's score of every candidate, where the loss learns from them."""
    if not LOSSES[settings.loss].teacher:
        return None
    return score(lists, encode_tokens(model, lists.tokens, precision=settings.precision)).scores


def _bring_best(model: Encoder, log: list[EpochLog], source: Path, checkpoints: Path) -> None:
    """Write the best so far again: the file may be of an epoch that the state knows nothing of."""
    best = best_of(log)
    if not best.epoch:
        model.save_weights(checkpoints / files.BEST_CHECKPOINT)
        return
    path = source / f"epoch_{best.epoch}.pt"
    weights = read_unchanged(path, best.weights_sha256)
    for name in {f"epoch_{best.epoch}.pt", files.BEST_CHECKPOINT}:
        model.save_weights(checkpoints / name, weights)


def _drop_earlier(checkpoints: Path) -> None:
    """Delete what an earlier training left: its state, and epochs that this one may not come to."""
    (checkpoints / files.TRAINING_STATE).unlink(missing_ok=True)
    for path in sorted(checkpoints.glob("epoch_*.pt")):
        path.unlink()


def _seed_of(seed: int, epoch: int) -> int:
    """A seed for torch, which takes one number, from two."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0]) >> 1
