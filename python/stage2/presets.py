"""Settings that go together: the defaults of a run, and the recipe of the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The defaults of `stage2 run` and `sweep`. They were chosen by results on held-out questions; see
# docs/defaults.md.
RUN_DEFAULTS: Mapping[str, Any] = {
    "epochs": 2,
    "batch_size": 64,
    "learning_rate": 1e-4,
    "interpolation": 0.85,
    "schedule": "linear",
    "loss": "in-batch",
    "train_on": "all",
    "batches": "similar",
    "refit": True,
}


# The recipe of the reference experiment.
REFERENCE: Mapping[str, Any] = {
    "epochs": 5,
    "batch_size": 8,
    "learning_rate": 1e-5,
    "interpolation": 1.0,
    "margin": 0.1,
    "negatives": 5,
    "topk": 3,
    "pairs": "all",
    "schedule": "constant",
    "loss": "margin",
    "train_on": "hard",
    "source": "candidates",
    "batches": "random",
    "refit": False,
}


# For few questions, for which the defaults make only a few updates. docs/log.md has what it gives.
SMALL: Mapping[str, Any] = {
    "epochs": 10,
    "batch_size": 64,
    "learning_rate": 1e-4,
    "interpolation": 0.85,
}


# The model of the reference reads so many tokens of a text.
REFERENCE_LENGTH = 128

# `stage2 run --preset` sets these. The reference trains a ProbabilisticGBERTV4, and measures on the
# questions that it trained on.
RUN_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "reference": {
        **REFERENCE,
        "init": True,
        "fit_steps": 0,
        "max_length": REFERENCE_LENGTH,
        "split": "none",
    },
    "small": SMALL,
}
