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
        text: what it compares, for help.
        settings: its parameters, which are settings.
        negatives: what a question's ground truths are to win against: the candidates of its own
            `list`, the ground truths of the other questions of its `batch`, or `both`.
        teacher: whether it learns from the scores of the model before training.
    """

    text: str
    settings: tuple[str, ...]
    negatives: Literal["list", "batch", "both"] = "list"
    teacher: bool = False


LOSSES: Mapping[str, Loss] = {
    "margin": Loss("the pairs of a list that --pairs names", ("margin", "pairs")),
    "in-batch": Loss(
        "with the other questions' ground truths as negatives and no others",
        ("temperature",),
        "batch",
    ),
    "infonce": Loss("with all of the batch's candidates", ("temperature",), "both"),
    "triplet": Loss("the hardest of each list", ("margin",)),
    "margin-mse": Loss("the margins of stage 1, the teacher", ("margin",), teacher=True),
    "distill-kl": Loss(
        "the softmax of stage 1's scores of each list, the teacher",
        ("margin", "temperature"),
        teacher=True,
    ),
    "listnet": Loss("the softmax of each list's relevance", ("temperature",)),
}


def losses_with(setting: str) -> str:
    """List the losses that have a setting for a parameter, for help and messages."""
    *others, last = (name for name, loss in LOSSES.items() if setting in loss.settings)
    return f"{', '.join(others)} or {last}" if others else last


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


# The tools in whose format a model can be written. Their modules stand in `models.export`.
EXPORTS: Mapping[str, str] = {
    "sentence-transformers": "a folder that SentenceTransformer reads without stage2",
}
