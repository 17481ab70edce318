"""The first script: evaluate n × (1 + 6) texts of Monte Cristo, train on them for two epochs.

Both sides do the same work, and no more: what `stage2 train` does besides, measuring every epoch on
dev questions and writing it to disk, the script did not do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from benches import naive
from benches.harness import Bench, Claim, Finding, Peer, expect
from benches.samples import NEGATIVES, copied, lists_of, samples_of
from benches.small import random_model
from stage2.config import Settings
from stage2.evaluate import evaluate
from stage2.lists import RankingLists
from stage2.model import ProbabilisticGBERTV4
from stage2.step import accumulate_gradients

# Two batches of the reference's 50 questions, timed once: the peer takes minutes, and all its
# passes are alike.
QUESTIONS, EPOCHS, BATCH = 16, 2, 8
# The reference's backbone has 12 layers of width 768.
LAYERS, WIDTH, HEADS = 12, 768, 12
# Cosines, and losses after steps whose gradients differ by rounding; bf16 rounds more.
CLOSE = {"fp32": (1e-4, 2e-2), "auto": (2e-2, 5e-2)}


@dataclass(frozen=True)
class Answer:
    """Scores (n, 6) before training, and the mean loss of each epoch."""

    scores: np.ndarray
    losses: list[float]


def measure(bench: Bench) -> Iterator[Finding]:
    torch.set_num_threads(bench.threads)
    count = bench.size(QUESTIONS)
    samples = samples_of(count)
    model = random_model(LAYERS, WIDTH, HEADS, naive.LENGTH).to(bench.device)
    # Dropout would be drawn in another order.
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0

    def theirs() -> Answer:
        worked = copied(model)
        scores = naive.evaluate(worked, samples)
        settings = settings_of("fp32")
        losses = naive.train(
            worked, samples, epochs=EPOCHS, batch_size=BATCH, margin=settings.margin,
            learning_rate=settings.learning_rate, weight_decay=settings.weight_decay,
        )  # fmt: skip
        return Answer(np.array(scores), losses)

    bench = replace(bench, rounds=(1, 1))
    target = 20.0 if bench.device == "cuda" else 10.0
    for precision, wanted in (("auto", target), ("fp32", None)):

        def ours(precision: str = precision) -> Answer:
            worked = copied(model)
            lists = lists_of(worked, samples)
            before = evaluate(worked, lists, precision)
            losses = train(worked, lists, settings_of(precision))
            return Answer(before.candidates.scores.reshape(count, -1), losses)

        def agrees(mine: Answer, other: Answer, precision: str = precision) -> None:
            scores_close, loss_close = CLOSE[precision]
            far = float(np.abs(mine.scores - other.scores).max())
            expect(far < scores_close, f"scores are {far:.2g} apart")
            far = float(np.abs(np.divide(mine.losses, other.losses) - 1).max())
            expect(far < loss_close, f"the losses are {mine.losses}, not {other.losses}")

        texts = count * (2 + NEGATIVES)
        job = f"evaluate {texts} texts, train {EPOCHS} epochs, 12 × 768, {precision}"
        peer = "a text a pass, fp32"
        yield from bench.race(
            job, ours, [Peer(peer, theirs, agrees)], [Claim(job, (peer,), wanted)]
        )


def train(model: ProbabilisticGBERTV4, lists: RankingLists, settings: Settings) -> list[float]:
    """The mean loss of each epoch, in the order given."""
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


def settings_of(precision: str) -> Settings:
    return Settings(epochs=EPOCHS, batch_size=BATCH, precision=precision)
