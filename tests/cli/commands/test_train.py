"""`stage2 train`: the data, and the continuation of a training."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from stage2.utils import files
from tests.conftest import Stage2, data_flags, read_jsonl, tree
from tests.programs import start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("folder", ["mined", "own"])
def test_train_goes_on_too(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    folder: str, number: signal.Signals,
) -> None:  # fmt: skip
    """It works in the folder of mining, and in its own folder where no command has ended yet."""
    mined, out = tmp_path / "mined", tmp_path / folder
    stage2("mine", "--model", model_dir, *data_flags(corpus), "--topk", 1, "--output-dir", mined)
    flags = ["--model", model_dir, "--split", "none", "--epochs", 12, "--batch-size", 1,
             "--precision", "fp32", "--data", mined / files.HARD,
             "--entities", corpus["entities"]]  # fmt: skip
    stage2("train", *flags, "--output-dir", tmp_path / "whole")
    with start("train", *flags, "--output-dir", out) as running:
        state = out / files.CHECKPOINTS / files.TRAINING_STATE
        while running.poll() is None and not state.is_file():
            time.sleep(0.01)
        running.send_signal(number)
        assert running.stderr is not None
        said = running.stderr.read().decode()
    assert running.returncode == (1 if number == signal.SIGINT else -number), said
    assert ("goes on from there" in said) == (number == signal.SIGINT)
    if folder == "own":
        before = tree(out)
        refused = stage2("prepare", *data_flags(corpus), "--output-dir", out, exit_code=2)
        assert "of a run that was not ended" in refused.stderr
        assert "no run there" in stage2("report", "--output-dir", out, exit_code=2).stderr
        assert tree(out) == before
    result = stage2("train", *flags, "--output-dir", out)
    assert "going on" in result.stderr
    assert [row["epoch"] for row in read_jsonl(out / files.TRAINING_LOG)] == list(range(13))
    assert tree(out / files.CHECKPOINTS) == tree(tmp_path / "whole" / files.CHECKPOINTS)
    assert tree(out / files.SHIPPED_MODEL) == tree(tmp_path / "whole" / files.SHIPPED_MODEL)
    assert "begun" not in files.read_json(out / files.RUN)


def test_nothing_to_train_on_is_refused(stage2: Stage2, tmp_path: Path) -> None:
    refused = stage2("train", exit_code=2)
    assert f"nothing to train on: no --data, and no {files.HARD}" in refused.stderr
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    assert "no hard example" in stage2("train", "--data", empty, exit_code=2).stderr
    assert not (tmp_path / "out").exists()
