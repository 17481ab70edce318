"""Following a training from outside, in TensorBoard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from stage2.config import Settings
from stage2.utils import files
from stage2.utils.errors import BadInputError

Note = Callable[[str, float, int], None]


def check_follower(settings: Settings) -> None:
    """Refuse, before anything is written, to report to what is not installed."""
    if settings.report_to == "tensorboard" and find_spec("tensorboard") is None:
        raise BadInputError(
            "--report-to tensorboard needs its package: pip install stage2[tensorboard]"
        )


@contextmanager
def following(settings: Settings, folder: Path, updates_done: int) -> Iterator[Note]:
    """Yield a function of (name of a scalar, value, updates done).

    Args:
        settings: report_to.
        folder: of the run.
        updates_done: where the training goes on from; what was noted of later ones is taken back.
    """
    if settings.report_to == "none":
        yield lambda *_: None
        return
    from torch.utils.tensorboard import SummaryWriter

    # The first step that is taken back: what was noted of the last update is not noted again.
    first = updates_done + 1 if updates_done else None
    with SummaryWriter(folder / files.TENSORBOARD, purge_step=first) as writer:
        yield writer.add_scalar
