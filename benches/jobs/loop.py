"""The first script's loop end to end: evaluate n × (1 + 6) texts, train two epochs."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from benches import naive, xquad
from benches.harness import Bench, Claim, Finding, Peer, expect
from benches.small import random_model
from stage2.config import Settings
from stage2.encode import LazyTokens, tokenize
from stage2.evaluate import evaluate
from stage2.lists import RankingLists
from stage2.model import ProbabilisticGBERTV4
from stage2.train import train

# A fifth of the reference's 50 questions, timed once: the peer takes minutes, and all its passes
# are alike.
QUESTIONS, NEGATIVES, EPOCHS, BATCH = 10, 5, 2, 8
# The reference's backbone has 12 layers of width 768.
LAYERS, WIDTH, HEADS = 12, 768, 12
# Cosines in float32, and losses after steps whose gradients differ by rounding; bf16 rounds more.
CLOSE = {"fp32": (1e-4, 2e-2), "auto": (2e-2, 5e-2)}


@dataclass(frozen=True)
class Answer:
    """Scores (n, 6) before training, and the mean loss of the first epoch."""

    scores: np.ndarray
    loss: float


def measure(bench: Bench) -> Iterator[Finding]:
    torch.set_num_threads(bench.threads)
    count = bench.size(QUESTIONS)
    samples = questions_with_contexts(count)
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
        return Answer(np.array(scores), losses[0])

    bench = replace(bench, rounds=(1, 1))
    for precision, target in (("auto", 20.0 if bench.device == "cuda" else 10.0),):
        scores_close, loss_close = CLOSE[precision]

        def ours(precision: str = precision) -> Answer:
            worked = copied(model)
            lists = lists_of(worked, samples)
            before = evaluate(worked, lists, precision)
            folder = bench.folder / "loop"
            trained = train(worked, lists, lists, settings_of(precision), folder)
            shutil.rmtree(folder)
            return Answer(
                before.candidates.scores.reshape(count, -1), float(trained.log[1].loss or 0)
            )

        def agrees(
            mine: Answer,
            other: Answer,
            scores_close: float = scores_close,
            loss_close: float = loss_close,
        ) -> None:
            far = float(np.abs(mine.scores - other.scores).max())
            expect(far < scores_close, f"scores are {far:.2g} apart")
            expect(
                abs(mine.loss / other.loss - 1) < loss_close,
                f"the loss is {mine.loss:.4f}, not {other.loss:.4f}",
            )

        texts = count * (2 + NEGATIVES)
        job = f"evaluate {texts} texts, train {EPOCHS} epochs, 12 × 768, {precision}"
        peer = "a text a pass, fp32"
        yield from bench.race(
            job, ours, [Peer(peer, theirs, agrees)], [Claim(job, (peer,), target)]
        )


def questions_with_contexts(count: int) -> list[list[str]]:
    """A question of XQuAD, its paragraph, and five others: `count` times."""
    data = xquad.load()
    random = np.random.default_rng(0)
    samples = []
    for row in random.choice(len(data.questions), count, replace=False):
        own = data.paragraph_of[row]
        others = random.choice(len(data.paragraphs) - 1, NEGATIVES, replace=False)
        contexts = [own, *(others + (others >= own))]
        samples.append([data.questions[row], *(data.paragraphs[i] for i in contexts)])
    return samples


def lists_of(model: ProbabilisticGBERTV4, samples: Sequence[Sequence[str]]) -> RankingLists:
    """The same samples as rows of distinct texts."""
    row_of: dict[str, int] = {}
    rows = np.array([[row_of.setdefault(text, len(row_of)) for text in row] for row in samples])
    texts = list(row_of)
    contexts = rows[:, 1:].ravel().astype(np.int64)
    spans = [()] * len(texts)
    return RankingLists(
        tokens=LazyTokens(texts, spans, lambda: tokenize(model, texts, spans)),
        qa_ids=[str(i) for i in range(len(samples))],
        questions=rows[:, 0].astype(np.int64),
        candidates=contexts,
        contexts=contexts,
        offsets=np.arange(len(samples) + 1) * (1 + NEGATIVES),
        num_relevant=np.ones(len(samples), np.int64),
        tie_keys=contexts,
        corpus=np.empty(0, np.int64),
    )


def settings_of(precision: str) -> Settings:
    return Settings(epochs=EPOCHS, batch_size=BATCH, precision=precision, split="none")


def copied(model: ProbabilisticGBERTV4) -> ProbabilisticGBERTV4:
    return copy.deepcopy(model, {id(model.tokenizer): model.tokenizer})
