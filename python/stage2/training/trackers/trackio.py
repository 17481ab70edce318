"""Trackio: the scalars of a training, in its local store (`TRACKIO_DIR`)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO

from stage2.training.trackers import PROJECT, Note, TrackedRun

logger = logging.getLogger(__name__)


@contextmanager
def track(run: TrackedRun) -> Iterator[Note]:
    """Log scalars over the number of updates; see `trackers.tracking`."""
    import trackio

    with _logged():
        tracked = trackio.init(
            PROJECT, name=run.name, group=run.group, config=dict(run.config), embed=False,
            auto_log_gpu=False, auto_log_cpu=False,
        )  # fmt: skip
    try:
        yield lambda name, value, update: tracked.log({name: value}, step=update)
    finally:
        with _logged():
            trackio.finish()  # type: ignore[no-untyped-call]


@contextmanager
def _logged() -> Iterator[None]:
    """Log what is printed in the block: stdout belongs to the results."""
    with redirect_stdout(StringIO()) as printed:
        yield
    for line in printed.getvalue().splitlines():
        logger.info("trackio: %s", line)
