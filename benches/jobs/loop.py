"""The work of the first script: evaluate n × (1 + 6) texts of Monte Cristo, then train two epochs.

Both sides do the same work. `stage2 train` also measures every epoch on dev questions and writes it
to disk; this is left out, since the script did not do it. Questions of Monte Cristo have no
annotations, so similarity is that of the sentences.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from benches import naive
from benches.harness import Bench, Claim, Details, Finding, Peer, Ratio, expect
from benches.samples import NEGATIVES, QUESTIONS, copied, lists_of, samples_of
from benches.small import random_model
from stage2.config import Settings
from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.evaluate import evaluate
from stage2.models.gbert.model import ProbabilisticGBERTV4
from stage2.training.step import accumulate_gradients
from stage2.utils.device import describe, resolve_precision

# In the reference experiment 35 of 50 questions were hard and were trained on.
HARD, EPOCHS, BATCH = 35, 2, 8
# Layers, width and heads of the reference's backbone, and of that of a quick run.
BACKBONE, QUICK_BACKBONE = (12, 768, 12), (2, 384, 12)
# The two sides are compared on so many questions without dropout, in two batches.
COMPARED = 4
# The largest differences of cosines, and of losses after steps with rounded gradients.
CLOSE = {"fp32": (1e-4, 2e-2), "auto": (2e-2, 5e-2)}
PEER, IN_HALF, IN_FP32 = "a text a pass, fp32", "a text a pass, {}", "stage2, fp32"

Samples = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Answer:
    """The scores (n, 6) before training, and the mean loss of each epoch."""

    scores: np.ndarray
    losses: list[float]


def measure(bench: Bench) -> Iterator[Finding]:
    torch.set_num_threads(bench.threads)
    layers, width, heads = QUICK_BACKBONE if bench.quick else BACKBONE
    model = random_model(layers, width, heads, naive.LENGTH).to(bench.device)
    # If the hardware gains nothing from half precision, `auto` is `fp32`.
    best = resolve_precision("auto", model.device)
    half = best != torch.float32
    precisions = ["auto", "fp32"] if half else ["auto"]
    compared = COMPARED // 2 if bench.quick else COMPARED
    few = samples_of(compared)
    still = without_dropout(model)
    right = theirs(still, few, compared, compared // 2)
    for precision in precisions:
        compare(ours(still, few, compared, compared // 2, precision), right, precision)
    if half:
        compare(theirs(still, few, compared, compared // 2, best), right, "auto")

    # Each side draws its dropout in another order, so timed runs are compared only before training.
    samples, hard = samples_of(bench.size(QUESTIONS)), bench.size(HARD)

    def scores_agree(mine: Answer, other: Answer) -> None:
        compare(replace(mine, losses=[]), replace(other, losses=[]), "auto")

    texts = len(samples) * (2 + NEGATIVES)
    job = f"evaluate {texts} texts, train {EPOCHS} epochs of {hard}, {layers} × {width}"
    target = 20.0 if bench.device == "cuda" else 10.0
    peers = [Peer(PEER, lambda: theirs(model, samples, hard, BATCH), scores_agree)]
    claims = [Claim(job, (PEER,), target)]
    if half:
        in_half = IN_HALF.format(describe(best))
        peers += [
            Peer(in_half, lambda: theirs(model, samples, hard, BATCH, best), scores_agree),
            Peer(IN_FP32, lambda: ours(model, samples, hard, BATCH, "fp32"), scores_agree),
        ]
        claims.append(Claim(f"{job}, both {describe(best)}", (in_half,), target))
    # On a CPU a run takes minutes, so there is one round, whose answers are also compared.
    rounds = (2, 2) if bench.device == "cuda" else (1, 1)
    timed = replace(bench, rounds=rounds)
    for found in timed.race(job, lambda: ours(model, samples, hard, BATCH, "auto"), peers, claims):
        yield found
        if half and isinstance(found, Details):
            sides = {side.name: side for side in found.timings}
            yield Ratio(Claim(f"{job}, both fp32", (PEER,), target), sides[IN_FP32], sides[PEER])


def ours(
    model: ProbabilisticGBERTV4, samples: Samples, hard: int, batch: int, precision: str
) -> Answer:
    """Evaluate all samples and train on the first `hard` of them, on a copy of the model."""
    worked = copied(model)
    lists = lists_of(worked, samples)
    before = evaluate(worked, lists, precision)
    settings = Settings(epochs=EPOCHS, batch_size=batch, precision=precision)
    losses = train(worked, lists.subset(range(hard)), settings)
    return Answer(before.candidates.scores.reshape(len(samples), -1), losses)


def theirs(
    model: ProbabilisticGBERTV4,
    samples: Samples,
    hard: int,
    batch: int,
    dtype: torch.dtype = torch.float32,
) -> Answer:
    """Do the same work in the way of the first script."""
    worked, settings = copied(model), Settings()
    scores = naive.evaluate(worked, samples, dtype)
    losses = naive.train(
        worked, samples[:hard], epochs=EPOCHS, batch_size=batch, margin=settings.margin,
        learning_rate=settings.learning_rate, weight_decay=settings.weight_decay, dtype=dtype,
    )  # fmt: skip
    return Answer(np.array(scores), losses)


def compare(mine: Answer, other: Answer, precision: str) -> None:
    """Raise MismatchError if scores or losses differ by more than rounding explains."""
    scores_close, loss_close = CLOSE[precision]
    far = float(np.abs(mine.scores - other.scores).max())
    expect(far < scores_close, f"{precision}: scores are {far:.2g} apart")
    far = float(np.abs(np.divide(mine.losses, other.losses) - 1).max(initial=0))
    expect(far < loss_close, f"{precision}: the losses are {mine.losses}, not {other.losses}")


def without_dropout(model: ProbabilisticGBERTV4) -> ProbabilisticGBERTV4:
    """Return a copy of the model without dropout."""
    still = copied(model)
    for module in still.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return still


def train(model: ProbabilisticGBERTV4, lists: RankingLists, settings: Settings) -> list[float]:
    """Train on the lists in their order, and return the mean loss of each epoch."""
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True,
    )  # fmt: skip
    model.train()
    losses = []
    for _ in range(settings.epochs):
        total = 0.0
        for start in range(0, len(lists), settings.batch_size):
            rows = np.arange(start, min(start + settings.batch_size, len(lists)))
            optimizer.zero_grad(set_to_none=True)
            total += accumulate_gradients(model, lists, rows, settings, len(rows)) * len(rows)
            optimizer.step()
        losses.append(total / len(lists))
    return losses
