"""Training: a loop that reads from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stage2 import checkpoint, files
from stage2.arrays import Ints
from stage2.config import Settings
from stage2.device import resolve_precision
from stage2.encode import autocast, collate, encode_tokens
from stage2.errors import BadInputError, RunFailedError
from stage2.lists import RankingLists
from stage2.loss import margin_ranking_loss
from stage2.mining import TOPK, score, score_corpus
from stage2.model import Pooled, ProbabilisticGBERTV4

DEV_METRIC = "mrr"


@dataclass(frozen=True)
class EpochLog:
    """A row of `training_log.jsonl`; epoch 0 is the model as it came."""

    epoch: int
    loss: float | None
    learning_rate: float
    seconds: float
    dev: dict[str, Any]
    train_examples: int


@dataclass(frozen=True)
class Trained:
    """What training ended with: its log, and which of the candidates the model now is."""

    log: list[EpochLog]
    best_epoch: int


def train(
    model: ProbabilisticGBERTV4,
    lists: RankingLists,
    dev: RankingLists,
    settings: Settings,
    folder: Path,
    progress: Callable[[str, int, int], None] | None = None,
    stage1_dev: dict[str, Any] | None = None,
) -> Trained:
    """Train on `lists` and leave in `model` the best candidate on `dev`.

    The candidates are the model as it came and every epoch; the earliest of equals wins. Written
    to `folder` as they come: `checkpoints/epoch_N.pt`, `checkpoints/best_model_stage2.pt` and
    `training_log.jsonl`, so that whatever ends the run keeps what is done.

    Args:
        model: on the device to train on.
        lists: hard examples.
        dev: questions that choose among the candidates; over the whole corpus where it has one.
        settings: epochs, batch_size, learning_rate, weight_decay, margin, pairs, precision, seed.
        folder: of the run.
        progress: called with (what, steps done, steps in all).
        stage1_dev: metrics of the model as it came, where they are known already.

    Raises:
        BadInputError: there is nothing to train on.
        RunFailedError: the loss or a gradient is not finite.
    """
    if not len(lists):
        raise BadInputError(no_hard_examples(settings.topk))
    checkpoints = folder / files.CHECKPOINTS
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    steps = math.ceil(len(lists) / settings.batch_size)
    untrained = stage1_dev or evaluate_dev(model, dev, settings)
    log = [EpochLog(0, None, 0.0, 0.0, untrained, len(lists))]
    best = log[0]
    _keep(model, checkpoints / files.BEST_CHECKPOINT, log, folder)

    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        for epoch in range(1, settings.epochs + 1):
            started = time.perf_counter()
            torch.manual_seed(_seed_of(settings.seed, epoch))
            order = np.random.default_rng([settings.seed, epoch]).permutation(len(lists))
            losses = []
            model.train()
            for step in range(steps):
                rows = order[step * settings.batch_size : (step + 1) * settings.batch_size]
                loss = batch_loss(model, lists, rows, settings)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                _check_finite(model, loss, f"epoch {epoch}, step {step + 1}", lists, rows, folder)
                optimizer.step()
                losses.append(loss.item() * len(rows))
                if progress is not None:
                    progress(f"epoch {epoch}/{settings.epochs}", step + 1, steps)
            model.eval()

            entry = EpochLog(
                epoch=epoch,
                loss=sum(losses) / len(lists),
                learning_rate=settings.learning_rate,
                seconds=time.perf_counter() - started,
                dev=evaluate_dev(model, dev, settings),
                train_examples=len(lists),
            )
            log.append(entry)
            _keep(model, checkpoints / f"epoch_{epoch}.pt", log, folder)
            if entry.dev[DEV_METRIC] > best.dev[DEV_METRIC]:
                best = entry
                checkpoint.save_reference(model, checkpoints / files.BEST_CHECKPOINT)

    model.load_state_dict(checkpoint.read_state_dict(checkpoints / files.BEST_CHECKPOINT))
    return Trained(log, best.epoch)


def batch_loss(
    model: ProbabilisticGBERTV4, lists: RankingLists, rows: Ints, settings: Settings
) -> Tensor:
    """Margin ranking loss of the given questions, each distinct text embedded once.

    Lists of different length are padded with their own first candidate and masked.
    """
    lengths = lists.lengths[rows]
    column = np.arange(lengths.max())
    mask = column[None, :] < lengths[:, None]
    flat = lists.offsets[rows][:, None] + np.where(mask, column[None, :], 0)
    relevance = column[None, :] < lists.num_relevant[rows][:, None]

    needed = np.concatenate([lists.questions[rows], lists.candidates[flat].ravel()])
    used, places = np.unique(needed, return_inverse=True)
    with autocast(model.device, resolve_precision(settings.precision, model.device)):
        pooled = model(collate(model, lists.tokens, used))
    question, candidate = np.split(places, [len(rows)])
    similarities = pair_similarity(
        pooled,
        _tensor(question, model)[:, None],
        _tensor(candidate.reshape(flat.shape), model),
    )
    return margin_ranking_loss(
        similarities,
        settings.margin,
        settings.pairs,
        _tensor(mask, model),
        _tensor(relevance.astype(np.int64), model),
    )


def pair_similarity(pooled: Pooled, left: Tensor, right: Tensor) -> Tensor:
    """Similarity of pairs of texts, as evaluation computes it.

    Args:
        pooled: n texts.
        left: int64, rows of `pooled`; broadcast against `right`.
        right: int64.

    Returns:
        float32 of the broadcast shape.
    """
    by_entity = pooled.has_entity[left] & pooled.has_entity[right]
    entity = (pooled.entity[left] * pooled.entity[right]).sum(dim=-1)
    sentence = (pooled.mu[left] * pooled.mu[right]).sum(dim=-1)
    return torch.where(by_entity, entity, sentence)


def evaluate_dev(
    model: ProbabilisticGBERTV4, dev: RankingLists, settings: Settings
) -> dict[str, Any]:
    """Metrics of the questions that choose among the candidates."""
    embeddings = encode_tokens(model, dev.tokens, precision=settings.precision)
    scored = score_corpus(dev, embeddings) if len(dev.corpus) else score(dev, embeddings)
    return scored.ranking.metrics(TOPK)


def no_hard_examples(topk: int) -> str:
    """What to say, and to try, when the model gets every question right."""
    return (
        f"no hard example: every ground truth ranks in the top {topk}, so there is nothing to "
        "train on. Try a smaller --topk or more --negatives"
    )


def _tensor(array: npt.NDArray[Any], model: ProbabilisticGBERTV4) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(model.device)


def _seed_of(seed: int, epoch: int) -> int:
    """A seed for torch, which takes one number, from two."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)


def _check_finite(
    model: ProbabilisticGBERTV4,
    loss: Tensor,
    where: str,
    lists: RankingLists,
    rows: Ints,
    folder: Path,
) -> None:
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if torch.isfinite(loss) and torch.isfinite(norm):
        return
    what = "gradient" if torch.isfinite(loss) else "loss"
    ids = ", ".join(lists.qa_ids[row] for row in rows)
    raise RunFailedError(
        f"{where}: the {what} is not finite (loss {loss.item():g}); samples: {ids}. The best "
        f"model so far is kept in {folder / files.CHECKPOINTS / files.BEST_CHECKPOINT}. "
        "Try a lower --learning-rate or --precision fp32"
    )


def _keep(model: ProbabilisticGBERTV4, path: Path, log: list[EpochLog], folder: Path) -> None:
    checkpoint.save_reference(model, path)
    files.write_jsonl(folder / files.TRAINING_LOG, [asdict(entry) for entry in log])
