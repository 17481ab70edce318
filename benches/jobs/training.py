"""An epoch of training on 50 × (1 + 1 + 5) texts, against the trainer of sentence-transformers.

Both have the same model, as it comes, and the same loss: InfoNCE with in-batch negatives, which
they call MultipleNegativesRankingLoss. First both values of the loss are compared without dropout,
then epochs with dropout are timed.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benches.child import peak_memory
from benches.harness import Bench, Claim, Finding, Limit, Peer, expect
from benches.samples import NEGATIVES, QUESTIONS, copied, lists_of, samples_of
from benches.small import small_modernbert, small_qwen3
from stage2.config import Settings
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import RankingLists
from stage2.models.auto import load_model
from stage2.models.hub import default_backbone
from stage2.training.step import accumulate_gradients, batch_loss
from stage2.utils.device import multiplies

BATCH = 8
# sentence-transformers multiplies similarities by 20.
SETTINGS = Settings(loss="infonce", temperature=1 / 20, batch_size=BATCH, learning_rate=1e-5)
CLOSE = 1e-3
# Models of other kinds stand beside MiniLM without a target.
OTHERS = {"small Qwen3": small_qwen3, "small ModernBERT": small_modernbert}
MEGABYTE = 1e6


def measure(bench: Bench) -> Iterator[Finding]:
    torch.set_num_threads(bench.threads)
    yield from compete(bench, "MiniLM", load_model(default_backbone()), 1.5)
    if bench.quick:
        return
    for name, make in OTHERS.items():
        yield from compete(bench, name, make(bench.folder), None)
    if bench.device == "cuda":
        return
    peaks = {side: peak_memory(training(side)) / MEGABYTE for side in ("stage2", "peer")}
    yield Limit(
        f"train MiniLM, {BATCH} × {2 + NEGATIVES} texts a step, fp32: peak memory, MB",
        f"SentenceTransformerTrainer {peaks['peer']:,.0f} MB",
        peaks["stage2"],
        peaks["peer"],
    )


def compete(bench: Bench, kind: str, model: Encoder, target: float | None) -> Iterator[Finding]:
    """Run the races of a model, in each precision that the machine multiplies."""
    from benches import sentence_peers

    samples = samples_of(bench.size(QUESTIONS))
    model = model.to(bench.device)
    check_loss(model, samples)
    rows = rows_of(samples)
    theirs = sentence_peers.sentence_transformer(copied(model))
    if bench.quick:
        bench = replace(bench, rounds=(1, 1))
    precisions = ["fp32"]
    if multiplies(torch.bfloat16, model.device) and not bench.quick:
        precisions.append("bf16")
    for precision in precisions:
        recipe = sentence_peers.Recipe(
            1, BATCH, SETTINGS.learning_rate, 0, bf16=precision == "bf16"
        )

        def ours(precision: str = precision) -> int:
            return epoch(copied(model), samples, precision)

        def peer(recipe: sentence_peers.Recipe = recipe) -> int:
            trained = copy.deepcopy(theirs)
            sentence_peers.train(trained, rows, recipe)
            return changed(theirs, trained)

        job = f"train an epoch of {len(samples)} × {2 + NEGATIVES} texts, {kind}, {precision}"
        name = f"SentenceTransformerTrainer, {precision}"
        yield from bench.race(job, ours, [Peer(name, peer, moved)], [Claim(job, (name,), target)])


def training(side: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-m", __name__, side]


def rows_of(samples: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """Convert samples to rows of constructed samples."""
    return [
        {"question": question, "ground_truth_contexts": [own], "negative_contexts": others}
        for question, own, *others in samples
    ]


def epoch(model: Encoder, samples: Sequence[Sequence[str]], precision: str) -> int:
    """Tokenise the samples and train one epoch, as `stage2 train` does.

    Returns:
        1 if training changed the embeddings of tokens, else 0.
    """
    settings = Settings(**{**vars(SETTINGS), "precision": precision})
    lists: RankingLists = lists_of(model, samples)
    tokens = model.backbone.get_input_embeddings().weight
    before = tokens.detach().clone()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=0.0, fused=True
    )
    order = np.random.default_rng(0).permutation(len(lists))
    model.train()
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        optimizer.zero_grad(set_to_none=True)
        accumulate_gradients(model, lists, rows, settings, len(rows))
        optimizer.step()
    return int(not torch.equal(before, tokens))


def check_loss(model: Encoder, samples: Sequence[Sequence[str]]) -> None:
    """Check that both losses are equal without dropout, with all questions in one batch."""
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    from benches import sentence_peers

    lists, rows = lists_of(model, samples), np.arange(len(samples))
    settings = Settings(**{**vars(SETTINGS), "precision": "fp32"})
    theirs = sentence_peers.sentence_transformer(model)
    columns: list[Any] = [
        {
            name: value.to(model.device) if isinstance(value, torch.Tensor) else value
            for name, value in theirs.preprocess(list(texts)).items()
        }
        for texts in zip(*samples, strict=True)
    ]
    criterion = MultipleNegativesRankingLoss(theirs.eval())
    with torch.inference_mode():
        mine = float(batch_loss(model.eval(), lists, rows, settings))
        other = float(criterion(columns, labels=None))
    expect(abs(mine - other) < CLOSE, f"the loss is {mine:.5f}, and {other:.5f} to the peer")


def changed(before: torch.nn.Module, after: torch.nn.Module) -> int:
    """Return the number of parameters that training changed."""
    pairs = zip(before.parameters(), after.parameters(), strict=True)
    return sum(not torch.equal(old, new) for old, new in pairs)


def moved(ours: int, theirs: int) -> None:
    expect(min(ours, theirs) > 0, "a training moved nothing")


def main(side: str) -> None:
    """Train one epoch on one side, in a process whose memory is measured."""
    model = load_model(default_backbone())
    samples = samples_of(QUESTIONS)
    if side == "stage2":
        epoch(model, samples, "fp32")
        return
    from benches import sentence_peers

    recipe = sentence_peers.Recipe(1, BATCH, 1e-5, 0, bf16=False)
    sentence_peers.train(sentence_peers.sentence_transformer(model), rows_of(samples), recipe)


if __name__ == "__main__":
    main(sys.argv[1])
