"""Weights & Biases: the scalars of a training, where its own settings say (`WANDB_MODE`, ...)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stage2.training.trackers import PROJECT, Note, TrackedRun


@contextmanager
def track(run: TrackedRun) -> Iterator[Note]:
    """Log scalars over the number of updates; see `trackers.tracking`."""
    import wandb

    # Its console capture would take stdout, which belongs to the results.
    quiet = wandb.Settings(console="off", silent=True)
    with wandb.init(
        project=PROJECT,
        group=run.group,
        name=run.name,
        config=dict(run.config),
        settings=quiet,
    ) as tracked:
        # Its own step counts calls, of which an update makes several.
        tracked.define_metric("*", step_metric="update")
        yield lambda name, value, update: tracked.log({name: value, "update": update})
