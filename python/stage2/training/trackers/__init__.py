"""Trackers: tools of other projects that show a training while it runs.

A tracker is a module in this package with a function `track`, and a row in `variants.TRACKERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stage2.config import TrainingConfig
from stage2.utils.errors import BadInputError
from stage2.variants import TRACKERS

# The arguments are the name of a scalar, its value, and the number of updates done.
Note = Callable[[str, float, int], None]

# The project or experiment in which trackers gather runs.
PROJECT = "stage2"


@dataclass(frozen=True)
class TrackedRun:
    """A training as a tracker sees it.

    Attributes:
        folder: the run folder.
        updates_done: the update from which training continues; 0 if it begins.
        config: the settings of the training, without paths.
    """

    folder: Path
    updates_done: int
    config: Mapping[str, Any]

    @property
    def group(self) -> str:
        """The name that a training and its continuations share."""
        return self.folder.resolve().name

    @property
    def name(self) -> str:
        """The name of this part of the training. Most trackers cannot take back records."""
        return f"{self.group}, from update {self.updates_done}" if self.updates_done else self.group


def check_tracker(settings: TrainingConfig) -> None:
    """Refuse a tracker whose package is not installed.

    Raises:
        BadInputError: the package is missing.
    """
    for name in settings.trackers:
        if find_spec(TRACKERS[name].package) is None:
            raise BadInputError(
                f"--report-to {name} needs its package: pip install stage2[{TRACKERS[name].extra}]"
            )


@contextmanager
def tracking(settings: TrainingConfig, folder: Path, updates_done: int) -> Iterator[Note]:
    """Yield a function that records a scalar in every tracker of `report_to`.

    Args:
        settings: the settings of the training.
        folder: the run folder.
        updates_done: the update from which training continues. TensorBoard's later records are
            removed. In the others a continuation is a run of its own, in the same group.
    """
    known = {item.name for item in fields(TrainingConfig)} - {"resume"}
    config = {name: value for name, value in asdict(settings).items() if name in known}
    run = TrackedRun(folder, updates_done, config)
    with ExitStack() as stack:
        notes: list[Note] = [
            stack.enter_context(import_module(f"{__name__}.{name}").track(run))
            for name in settings.trackers
        ]

        def note(name: str, value: float, update: int) -> None:
            for each in notes:
                each(name, value, update)

        yield note
