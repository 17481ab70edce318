"""The log of a training, and the best evaluation in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stage2.utils import files

DEV_METRIC = "mrr"


@dataclass(frozen=True)
class EpochLog:
    """A row of `training_log.jsonl`: an evaluation at the end of an epoch, or at a step in one.

    Epoch 0 is the stage-1 model, which has no file.

    Attributes:
        epoch: the number of epochs that are done; a fraction at a step in an epoch.
        loss: the mean loss of the questions of the epoch so far; None for epoch 0.
        learning_rate: the learning rate of the last update.
        seconds: the time of the updates of the epoch so far, without the evaluations.
        dev: the metrics on the dev questions; empty if there are none.
        train_examples: the number of questions in a whole epoch.
        without_negative: the number of questions of the epoch so far without a negative.
        weights_sha256: the SHA-256 of the file; None for epoch 0.
        step: the number of updates that are done; 0 in the logs of earlier versions, which have a
            row for each epoch alone.
        round: the round of the epoch, from 1; see `training.rounds`.
        new_negatives: the number of its negatives that the round before did not have; 0 in the
            first round.
    """

    epoch: float
    loss: float | None
    learning_rate: float
    seconds: float
    dev: dict[str, Any]
    train_examples: int
    without_negative: int = 0
    weights_sha256: str | None = None
    step: int = 0
    round: int = 1
    new_negatives: int = 0

    @property
    def name(self) -> str:
        """The name for people: "epoch 2", or "step 40 (epoch 1.33)"."""
        whole = f"epoch {self.epoch}"
        return f"step {self.step} (epoch {self.epoch:.2f})" if self.epoch % 1 else whole

    @property
    def file(self) -> str:
        """The name of the file of the weights: `epoch_2.pt`, or `step_40.pt`."""
        return f"{self.folder}.pt"

    @property
    def folder(self) -> str:
        """The name of the folder of the model, if it is kept in the layout that came in."""
        return files.evaluated(self.epoch, self.step)


def best_of(log: Sequence[EpochLog]) -> EpochLog:
    """Return the row with the highest dev metric; of equal rows the earliest.

    Without dev questions it is the last row.
    """
    measured = [entry for entry in log if entry.dev] or log[-1:]
    return max(measured, key=lambda entry: entry.dev.get(DEV_METRIC, 0.0))


def out_of_patience(log: Sequence[EpochLog], patience: int | None) -> bool:
    """Return whether the last `patience` evaluations found nothing better; False for None."""
    return patience is not None and len(log) - 1 - log.index(best_of(log)) >= patience
