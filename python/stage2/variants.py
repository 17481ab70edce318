"""The variants that a setting names: what each of them needs.

Adding one is a row here and a function of its room. No other file names a variant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Loss:
    """The needs of a loss. Its function stands in `training.losses`.

    Attributes:
        settings: its parameters, which are settings.
        negatives: what a question's ground truths are to win against: the candidates of its own
            `list`, the ground truths of the other questions of its `batch`, or `both`.
        teacher: whether it learns from the scores of the model before training.
    """

    settings: tuple[str, ...]
    negatives: Literal["list", "batch", "both"] = "list"
    teacher: bool = False


LOSSES: Mapping[str, Loss] = {
    "margin": Loss(("margin", "pairs")),
    "in-batch": Loss(("temperature",), "batch"),
    "infonce": Loss(("temperature",), "both"),
    "triplet": Loss(("margin",)),
    "margin-mse": Loss(("margin",), teacher=True),
    "listnet": Loss(("temperature",)),
}


@dataclass(frozen=True)
class Tracker:
    """A tool in which a training can be watched. Its module stands in `training.trackers`.

    Attributes:
        package: what must be installed for it.
        extra: of stage2, which brings the package.
    """

    package: str
    extra: str


TRACKERS: Mapping[str, Tracker] = {"tensorboard": Tracker("tensorboard", "tensorboard")}
