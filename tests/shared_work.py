"""The program that tests of distributed work start under torchrun."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from stage2 import ProbabilisticGBERTV4
from stage2.config import Settings
from stage2.config.training import Train
from stage2.data.dataset import Dataset
from stage2.encoding.kernels import unpadded
from stage2.encoding.ranking_lists import ranking_lists
from stage2.encoding.tokens import BATCH_TOKENS
from stage2.models.auto import load_model
from stage2.models.family import LoadOptions
from stage2.training.dev_corpus import LastEpoch
from stage2.training.step import accumulate_gradients
from stage2.training.train import train
from stage2.utils import distributed


def gradients(qa: str, chunks: str, entities: str, model_dir: str, to: str) -> None:
    """Write the gradients of two passes over all questions, without and with gradient caching."""
    dataset = Dataset.load(qa=qa, chunks=chunks, entities=entities)
    model = ProbabilisticGBERTV4.from_pretrained(model_dir).train()
    lists = ranking_lists(model, dataset.construct(5, 0), dataset.annotations)
    # Groups have few tokens, so that both processes get several.
    BATCH_TOKENS["cpu"] = 40
    found = {}
    for micro_batch in (None, 40):
        torch.manual_seed(3)
        model.zero_grad()
        for _ in range(2):
            settings = Settings(precision="fp32", micro_batch=micro_batch)
            accumulate_gradients(model, lists, np.arange(12), settings, 12)
        found |= {
            f"{name}, micro_batch {micro_batch}": parameter.grad.clone()
            for name, parameter in model.named_parameters()
            if parameter.grad is not None
        }
    torch.save(found, to)


# The kinds whose encoder of questions is trained by itself too.
OF_QUESTIONS = ("e5, two prompts", "qwen3, last token", "words, lstm, dense")


def losses_of(qa: str, chunks: str, models: str) -> dict[str, float | None]:
    """Train each model in a folder for three updates, and return the mean losses by its name.

    The later updates see what the earlier ones have changed.
    """
    samples = Dataset.load(qa=qa, chunks=chunks).construct(5, 0)
    settings = Settings(
        epochs=1, batch_size=4, learning_rate=1e-3, loss="in-batch", precision="fp32"
    )
    kept, found = (BATCH_TOKENS["cpu"], unpadded.GROUP_TOKENS), {}
    # Groups have few tokens, padded and unpadded, so that both processes get several.
    BATCH_TOKENS["cpu"] = unpadded.GROUP_TOKENS = 40
    for path in sorted(Path(models).iterdir()):
        parts: tuple[Train, ...] = ("both", "query") if path.name in OF_QUESTIONS else ("both",)
        for part in parts:
            model = load_model(path, LoadOptions(train=part))
            lists, own = ranking_lists(model, samples, None), replace(settings, train=part)
            with tempfile.TemporaryDirectory() as to:
                log = train(model, lists, LastEpoch(1), own, Path(to)).log
            found[f"{path.name}, {part}"] = log[-1].loss
    BATCH_TOKENS["cpu"], unpadded.GROUP_TOKENS = kept
    return found


def write_losses(qa: str, chunks: str, models: str, to: str) -> None:
    Path(to).write_text(json.dumps(losses_of(qa, chunks, models)))


def fail() -> None:
    """Let another process fail, and report it as the program does."""
    world = distributed.world()
    assert world is not None
    try:
        world.map(fail_in_others, [None] * world.size)
    except RuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def fail_in_others(world: distributed.World, _: None) -> None:
    if world.rank:
        raise ValueError("no such thing")


def main(what: str, *words: str) -> None:
    match what:
        case "one":
            gradients(*words)
        case "two":
            distributed.run(lambda: gradients(*words))
        case "losses":
            distributed.run(lambda: write_losses(*words))
        case "fail":
            distributed.run(fail)


if __name__ == "__main__":
    main(*sys.argv[1:])
