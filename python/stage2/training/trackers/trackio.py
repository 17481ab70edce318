"""Trackio: the scalars of a training, in its local store (`TRACKIO_DIR`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from stage2.training.trackers import PROJECT, Note, TrackedRun


@contextmanager
def track(run: TrackedRun) -> Iterator[Note]:
    """Log scalars over the number of updates; see `trackers.tracking`."""
    import trackio

    # It prints where it writes. stdout belongs to the results.
    with redirect_stdout(sys.stderr):
        tracked = trackio.init(
            PROJECT, name=run.name, group=run.group, config=dict(run.config), embed=False,
            auto_log_gpu=False, auto_log_cpu=False,
        )  # fmt: skip
    try:
        yield lambda name, value, update: tracked.log({name: value}, step=update)
    finally:
        with redirect_stdout(sys.stderr):
            trackio.finish()  # type: ignore[no-untyped-call]
