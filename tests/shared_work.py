"""The program that tests of distributed work start under torchrun: `gradients` or `fail`."""

from __future__ import annotations

import sys

import numpy as np
import torch

from stage2 import ProbabilisticGBERTV4
from stage2.config import Settings
from stage2.data.dataset import Dataset
from stage2.encoding.ranking_lists import ranking_lists
from stage2.encoding.tokens import BATCH_TOKENS
from stage2.training.step import accumulate_gradients
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
        case "fail":
            distributed.run(fail)


if __name__ == "__main__":
    main(*sys.argv[1:])
