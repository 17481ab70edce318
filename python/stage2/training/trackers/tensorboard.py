"""TensorBoard: the scalars of a training, in files of TensorBoard's format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stage2.training.trackers import Note, TrackedRun
from stage2.utils import files


@contextmanager
def track(run: TrackedRun) -> Iterator[Note]:
    """Write scalars to `tensorboard/` in the run folder; see `trackers.tracking`."""
    from torch.utils.tensorboard import SummaryWriter

    # Records from this step on are removed. Those of the last update stay: they do not come again.
    first = run.updates_done + 1 if run.updates_done else None
    with SummaryWriter(run.folder / files.TENSORBOARD, purge_step=first) as writer:
        yield writer.add_scalar
