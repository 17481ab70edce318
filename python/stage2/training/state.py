"""The state of a training, from which it can be continued. It is saved whole or not at all."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from stage2.config import TrainingConfig
from stage2.encoding.ranking_lists import RankingLists
from stage2.training.log import EpochLog, best_of
from stage2.usage import difference
from stage2.utils import files
from stage2.utils.errors import BadInputError
from stage2.utils.tensors import read_tensors, save_tensors

_FORMAT = 2


@dataclass(frozen=True)
class Position:
    """The position of a training within its epochs.

    The order of an epoch's questions follows from the seed and the epoch, so it is not saved.

    Attributes:
        epoch: the current epoch, from 1.
        update: the number of updates done in this epoch; all, if only the evaluation is missing.
        loss: the sum of the losses of the questions of this epoch so far.
        seconds: the time of this epoch so far.
    """

    epoch: int = 1
    update: int = 0
    loss: float = 0.0
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"epoch {self.epoch}, after update {self.update}"

    def after_update(self, loss: float, seconds: float) -> Position:
        """Return the position after one more update.

        Args:
            loss: the sum of the losses of its questions.
            seconds: its time.
        """
        return Position(self.epoch, self.update + 1, self.loss + loss, self.seconds + seconds)


@dataclass(frozen=True)
class State:
    """Everything on which the rest of a training depends.

    Attributes:
        made_from: the settings of the training and the hashes of its inputs.
        questions: the hash of the training questions and their candidates; see `questions_hash`.
        position: the position of the training.
        log: the rows of the training log up to the last evaluation.
        model: the weights, with low-rank updates as separate tensors.
        optimizer: the `state_dict` of the optimiser.
        scaler: the `state_dict` of what scales the loss; {} if nothing does.
        generators: the states of torch's generators; see `rng.states`.
        folder: the folder of the state and of the epochs' models. It is not saved.
        mined: the negatives of the round, see `rounds.MinedAgain.state`; {} without rounds.
    """

    made_from: dict[str, Any]
    questions: str
    position: Position
    log: list[dict[str, Any]]
    model: dict[str, Tensor]
    optimizer: dict[str, Any]
    scaler: dict[str, Any]
    generators: list[Tensor]
    folder: Path
    mined: dict[str, Any] = field(default_factory=dict)

    def save(self) -> None:
        """Write the state to its folder, whole or not at all."""
        content = {"format": _FORMAT, **vars(self), "position": asdict(self.position)}
        del content["folder"]
        save_tensors(content, self.folder / files.TRAINING_STATE)

    def check_questions(self, lists: RankingLists) -> None:
        """Check that the training was on these questions.

        Raises:
            BadInputError: it was on other questions.
        """
        if self.questions != questions_hash(lists):
            raise BadInputError(
                f"{self.folder}: the state of a training on other questions. "
                "Give --resume never to start over"
            )


def beside_main(settings: TrainingConfig) -> TrainingConfig:
    """Return the settings of a training beside the main one, in a folder of its own.

    It continues only from its own folder: --resume FILE names a state of the main training, which
    is the one that trackers follow.
    """
    resume = "never" if settings.resume == "never" else "auto"
    return replace(settings, resume=resume, report_to="none")


def find_state(
    settings: TrainingConfig, folder: Path, made_from: Mapping[str, Any]
) -> State | None:
    """Read the state from which training is to continue. Nothing is written.

    Args:
        settings: the settings `resume` and `overwrite` are used.
        folder: the run folder.
        made_from: the settings and inputs of the training that is to continue.

    Returns:
        The state, or None if training is to start over.

    Raises:
        BadInputError: the state is missing, cannot be read, or was made from other settings or
            inputs.
    """
    path = folder / files.CHECKPOINTS / files.TRAINING_STATE
    if settings.resume == "never":
        return None
    if settings.resume != "auto":
        path = Path(settings.resume)
    elif settings.overwrite or not path.is_file():
        return None
    state = read_state(path)
    best = best_of([EpochLog(**row) for row in state.log])
    if best.epoch and not (kept := path.parent / best.file).is_file():
        raise BadInputError(
            f"{kept}: the best model of the training that {path.name} is the state of is not "
            "there. Give --resume never to start over"
        )
    if state.made_from != made_from:
        raise BadInputError(
            f"{path}: the state of another training "
            f"({difference(state.made_from, made_from)}). Give the settings and inputs that it "
            "was started with, or --resume never to start over"
        )
    return state


def read_state(path: Path) -> State:
    """Read a state. No code in the file is run.

    Raises:
        BadInputError: the file is missing, is damaged, or is not a state of this version.
    """
    if not path.is_file():
        raise BadInputError(f"{path}: no such file; expected --resume auto, never or a saved state")
    again = "Give --resume never to start over"
    try:
        # torch does not check the checksums in its archive.
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, EOFError) as error:
        raise BadInputError(f"{path}: no state of training, or a damaged one. {again}") from error
    if damaged is not None:
        raise BadInputError(f"{path}: a damaged state of training. {again}")
    try:
        content = read_tensors(path)
    except BadInputError as error:
        raise BadInputError(f"{error}. {again}") from error
    if not isinstance(content, dict) or content.pop("format", None) != _FORMAT:
        raise BadInputError(f"{path}: not a state of training that this version wrote. {again}")
    try:
        position = Position(**content.pop("position"))
        best_of([EpochLog(**row) for row in content["log"]])
        return State(**content, position=position, folder=path.parent)
    except (KeyError, TypeError, ValueError) as error:
        raise BadInputError(f"{path}: not a whole state of training: {error}. {again}") from error


def questions_hash(lists: RankingLists) -> str:
    """Return the SHA-256 of the questions' ids, in their order, and of their candidates."""
    digest = hashlib.sha256("\n".join(lists.qa_ids).encode())
    for column in (lists.offsets, lists.candidates):
        digest.update(np.ascontiguousarray(column).data)
    return digest.hexdigest()
