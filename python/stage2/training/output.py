"""The files that a training writes: its log, and the models of its evaluations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stage2.encoding.encoder import Encoder
from stage2.training.log import EpochLog, best_of
from stage2.utils import files
from stage2.utils.tensors import copy_of_weights, read_unchanged


@dataclass(frozen=True)
class Output:
    """The files that a training writes.

    Attributes:
        folder: the run folder.
        log: the rows of the training log so far; the training appends to them.
        made_from: the settings and inputs by which the state is recognised.
    """

    folder: Path
    log: list[EpochLog]
    made_from: Mapping[str, Any]

    @property
    def checkpoints(self) -> Path:
        """The folder of the models and the state."""
        return self.folder / files.CHECKPOINTS

    def write_log(self) -> None:
        """Write the training log."""
        files.write_jsonl(self.folder / files.TRAINING_LOG, [asdict(row) for row in self.log])

    def drop_old(self, keep: int | None) -> None:
        """Delete the files of all evaluations except the last `keep` and the best."""
        if keep is None:
            return
        for entry in self.log[1:-keep]:
            if entry is not best_of(self.log):
                (self.checkpoints / entry.file).unlink(missing_ok=True)

    def kept(self) -> str:
        """Say where the best model so far is kept, for the message of a run that fails."""
        if (self.folder / files.ASIDE).is_dir():
            return ""  # the files that --overwrite set aside will replace it
        return f". The best model so far is kept in {self.checkpoints / files.BEST_CHECKPOINT}"


def bring_best(model: Encoder, log: list[EpochLog], source: Path, checkpoints: Path) -> None:
    """Write the best model so far again, as the file may be of an evaluation after the state."""
    best = best_of(log)
    if not best.epoch:
        model.save_weights(checkpoints / files.BEST_CHECKPOINT)
        return
    weights = read_unchanged(source / best.file, best.weights_sha256)
    for name in {best.file, files.BEST_CHECKPOINT}:
        model.save_weights(checkpoints / name, weights)


def write_models(model: Encoder, log: Sequence[EpochLog], checkpoints: Path) -> None:
    """Write each evaluation that is kept as a model, in the layout that came in.

    The weights stay beside it until `drop_weights`, because a state of the training needs them.
    Where the family keeps bare weights, nothing is written.

    Args:
        model: the model that was trained. It has its weights again in the end.
        log: the rows of the training log.
        checkpoints: the folder of the weights and of the models.

    Raises:
        BadInputError: the file of an evaluation has changed.
    """
    kept = [entry for entry in log[1:] if (checkpoints / entry.file).is_file()]
    if model.keeps_bare_weights or not kept:
        return
    own = copy_of_weights(model)
    for entry in kept:
        model.load_state_dict(read_unchanged(checkpoints / entry.file, entry.weights_sha256))
        model.save(checkpoints / entry.folder)
    model.load_state_dict(own)


def drop_weights(checkpoints: Path) -> None:
    """Delete the state of a training, and the weights of whatever stands beside them as a model."""
    (checkpoints / files.TRAINING_STATE).unlink(missing_ok=True)
    for kind in files.EVALUATED:
        for path in sorted(checkpoints.glob(kind)):
            if path.with_suffix("").is_dir():
                path.unlink()


def drop_earlier(checkpoints: Path) -> None:
    """Delete the state and the models of an earlier training."""
    (checkpoints / files.TRAINING_STATE).unlink(missing_ok=True)
    for kind in files.EVALUATED_FOLDERS:
        for path in sorted(checkpoints.glob(kind)):
            if path.is_dir() or path.suffix == ".pt":
                files.remove(path)
