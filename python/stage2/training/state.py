"""The state of a training that is under way: saved whole or not at all, and gone on with."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
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

_FORMAT = 1


@dataclass(frozen=True)
class Position:
    """How far a training has come.

    The order of an epoch's questions is a function of (seed, epoch) and need not be kept.

    Attributes:
        epoch: the epoch under way, from 1.
        update: updates of it that are done; all of them, where only its evaluation is missing.
        loss: sum of the losses of its questions so far.
        seconds: that it has taken so far.
    """

    epoch: int = 1
    update: int = 0
    loss: float = 0.0
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"epoch {self.epoch}, after update {self.update}"

    def after_update(self, loss: float, seconds: float) -> Position:
        """One update further, that had this sum of losses and took so long."""
        return Position(self.epoch, self.update + 1, self.loss + loss, self.seconds + seconds)


@dataclass(frozen=True)
class State:
    """All that the rest of a training depends on.

    Attributes:
        made_from: settings of the training and hashes of its inputs.
        questions: hash of the questions that it trains on and their candidates; see
            `questions_hash`.
        position: how far it has come.
        log: rows of the training log up to the last whole epoch.
        model: weights, low-rank updates apart.
        optimizer: `state_dict` of the optimiser.
        generators: of torch, that dropout draws from; see `rng.states`.
        folder: where it lies, with the models of its epochs; not saved.
    """

    made_from: dict[str, Any]
    questions: str
    position: Position
    log: list[dict[str, Any]]
    model: dict[str, Tensor]
    optimizer: dict[str, Any]
    generators: list[Tensor]
    folder: Path

    def save(self) -> None:
        """Write the state to its folder, whole or not at all."""
        content = {"format": _FORMAT, **vars(self), "position": asdict(self.position)}
        del content["folder"]
        save_tensors(content, self.folder / files.TRAINING_STATE)

    def check_questions(self, lists: RankingLists) -> None:
        """Raise BadInputError where the training was on other questions than these."""
        if self.questions != questions_hash(lists):
            raise BadInputError(
                f"{self.folder}: the state of a training on other questions. "
                "Give --resume never to start over"
            )


def find_state(
    settings: TrainingConfig, folder: Path, made_from: Mapping[str, Any]
) -> State | None:
    """The state that --resume asks for, if there is one. Nothing is written.

    Args:
        settings: resume, overwrite.
        folder: of the run.
        made_from: what the training to come is made from.

    Raises:
        BadInputError: the state is not there, cannot be read, or is of a training that was made
            from something else.
    """
    path = folder / files.CHECKPOINTS / files.TRAINING_STATE
    if settings.resume == "never":
        return None
    if settings.resume != "auto":
        path = Path(settings.resume)
    elif settings.overwrite or not path.is_file():
        return None
    state = read_state(path)
    best = best_of([EpochLog(**row) for row in state.log]).epoch
    if best and not (kept := path.parent / f"epoch_{best}.pt").is_file():
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
    """Read a state without running any code in it.

    Raises:
        BadInputError: it is not there, or no state of this version, or damaged.
    """
    if not path.is_file():
        raise BadInputError(f"{path}: no such file; expected --resume auto, never or a saved state")
    again = "Give --resume never to start over"
    try:
        # torch reads its archive without looking at the checksums that it wrote.
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
    """Hash of the questions' ids, in their order, and of which candidates each has."""
    digest = hashlib.sha256("\n".join(lists.qa_ids).encode())
    for column in (lists.offsets, lists.candidates):
        digest.update(np.ascontiguousarray(column).data)
    return digest.hexdigest()
