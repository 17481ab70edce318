"""The scalars of a training in MLflow."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from stage2.config import Settings
from stage2.training.trackers import tracking


def test_a_training_is_a_run_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    # The store in files needs nothing more than the client.
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    settings = Settings(report_to="mlflow", epochs=7)
    for done in (0, 2):
        with tracking(settings, tmp_path / "tuned", done) as note:
            note("train/loss", 0.5 + done, done + 1)
    with (
        pytest.raises(KeyboardInterrupt),
        tracking(settings, tmp_path / "stopped", 0),
    ):
        raise KeyboardInterrupt
    client = MlflowClient()
    experiment = client.get_experiment_by_name("stage2")
    runs = client.search_runs([experiment.experiment_id], order_by=["start_time ASC"])
    assert [run.info.run_name for run in runs] == ["tuned", "tuned, from update 2", "stopped"]
    assert [run.info.status for run in runs] == ["FINISHED", "FINISHED", "FAILED"]
    assert {run.data.tags["group"] for run in runs[:2]} == {"tuned"}
    assert runs[0].data.params["epochs"] == "7"
    (seen,) = client.get_metric_history(runs[1].info.run_id, "train/loss")
    assert (seen.value, seen.step) == (2.5, 3)
