"""The flags of commands: one for each setting, and which of them go together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import click

from stage2.config import SETTINGS

Decorator = Callable[[Any], Any]

COMMON = ("output_dir", "seed", "device", "overwrite")
FROM_FILES = ("qa", "chunks", "entities", "on_error", "max_decompressed", "negatives")
STAGE1 = ("model", "backbone", "embedding_dim", "max_length", "fit")
SCORING = ("similarity", "precision", "compile")
FROM_CORPUS = (
    "source",
    "range_min",
    "range_max",
    "absolute_margin",
    "relative_margin",
    "max_score",
    "min_score",
    "sampling",
    "memory_budget",
)
NEGATIVES = ("near_duplicate", "cross_encoder", "cross_encoder_margin")
TRAINING = (
    "epochs",
    "batch_size",
    "learning_rate",
    "weight_decay",
    "margin",
    "pairs",
    "loss",
    "temperature",
    "accumulate",
    "micro_batch",
    "warmup",
    "schedule",
    "max_grad_norm",
    "freeze",
    "lora",
    "patience",
    "resume",
    "save_every",
    "keep_checkpoints",
    "report_to",
    "split",
    "dev_share",
)


def option(name: str, defaults: Mapping[str, Any] = MappingProxyType({})) -> Decorator:
    """The flag of a setting: its help, type and default are those of `Settings`.

    A command may have some `defaults` of its own.
    """
    item = SETTINGS[name]
    default = defaults.get(name, item.default)
    meta = item.metadata
    flag = f"--{name.replace('_', '-')}"
    if meta["kind"] is bool:
        if default:
            flag = f"{flag}/--no-{name.replace('_', '-')}"
        return click.option(
            flag, is_flag=True, default=default, help=meta["help"], show_default=default
        )
    kind = click.Choice(meta["choices"]) if meta["choices"] else meta["kind"]
    return click.option(
        flag,
        type=kind,
        default=default,
        help=meta["help"],
        metavar=meta["metavar"],
        show_default=default is not None,
    )
