"""Trackers: tools of other projects that show a training while it runs.

A tracker is a module in this package with a function `track`, and a row in `variants.TRACKERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from stage2.config import TrainingConfig
from stage2.utils.errors import BadInputError
from stage2.variants import TRACKERS

# The arguments are the name of a scalar, its value, and the number of updates done.
Note = Callable[[str, float, int], None]


def check_tracker(settings: TrainingConfig) -> None:
    """Refuse a tracker whose package is not installed.

    Raises:
        BadInputError: the package is missing.
    """
    tracker = TRACKERS.get(settings.report_to)
    if tracker is not None and find_spec(tracker.package) is None:
        raise BadInputError(
            f"--report-to {settings.report_to} needs its package: "
            f"pip install stage2[{tracker.extra}]"
        )


@contextmanager
def tracking(settings: TrainingConfig, folder: Path, updates_done: int) -> Iterator[Note]:
    """Yield a function that records a scalar.

    Args:
        settings: the setting `report_to` is used.
        folder: the run folder.
        updates_done: the update from which training continues. Later records are removed.
    """
    if settings.report_to not in TRACKERS:
        yield lambda *_: None
        return
    module = import_module(f"{__name__}.{settings.report_to}")
    with module.track(folder, updates_done) as note:
        yield note
