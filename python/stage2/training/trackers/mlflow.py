"""MLflow: the scalars of a training, on the server or in the store of `MLFLOW_TRACKING_URI`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stage2.training.trackers import PROJECT, Note, TrackedRun


@contextmanager
def track(run: TrackedRun) -> Iterator[Note]:
    """Log scalars over the number of updates; see `trackers.tracking`."""
    from mlflow import MlflowClient
    from mlflow.entities import RunStatus

    # The client leaves alone the experiment and the run that a calling program has active.
    client = MlflowClient()
    found = client.get_experiment_by_name(PROJECT)
    experiment = client.create_experiment(PROJECT) if found is None else found.experiment_id
    tracked = client.create_run(experiment, run_name=run.name, tags={"group": run.group}).info
    for name, value in run.config.items():
        client.log_param(tracked.run_id, name, value)
    ended = RunStatus.to_string(RunStatus.FAILED)

    def note(name: str, value: float, update: int) -> None:
        client.log_metric(tracked.run_id, name, value, step=update)

    try:
        yield note
        ended = RunStatus.to_string(RunStatus.FINISHED)
    finally:
        client.set_terminated(tracked.run_id, ended)
