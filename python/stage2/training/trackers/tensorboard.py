"""TensorBoard: the scalars of a training, in files of TensorBoard's format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stage2.training.trackers import Note
from stage2.utils import files


@contextmanager
def track(folder: Path, updates_done: int) -> Iterator[Note]:
    """Write scalars to `tensorboard/` in the run folder; see `trackers.tracking`."""
    from torch.utils.tensorboard import SummaryWriter

    # Records from this step on are removed. Those of the last update stay: they do not come again.
    first = updates_done + 1 if updates_done else None
    with SummaryWriter(folder / files.TENSORBOARD, purge_step=first) as writer:
        yield writer.add_scalar
