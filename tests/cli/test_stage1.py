"""The stage-1 model that a command uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from stage2.cli.run_folder import RunFolder
from stage2.config import Settings
from stage2.usage import read_by
from stage2.utils import files
from stage2.utils.errors import RunFailedError
from tests.conftest import Stage2, data_flags


def test_a_model_that_train_makes_is_the_folders_own(
    stage2: Stage2, corpus: dict[str, Path], backbone: Path, tmp_path: Path
) -> None:
    stage2("prepare", *data_flags(corpus), "--output-dir", tmp_path / "prepared")
    samples = tmp_path / "prepared" / files.CONSTRUCTED
    made = ["--backbone", backbone, "--no-fit"]
    stage2("train", "--data", samples, *made, "--epochs", 1)
    out = tmp_path / "out"
    record = files.read_json(out / files.RUN)
    assert f"{files.STAGE1_MODEL}/config.json" in record["files"]
    assert record["split"]["train"] + record["split"]["dev"] == 12
    stage2("mine", *data_flags(corpus), *made, "--overwrite")
    assert files.read_json(out / files.RUN).get("split") is None


def test_a_model_of_a_changed_input_does_not_stay(tmp_path: Path) -> None:
    model = tmp_path / "given.pt"
    model.write_text("weights")
    settings = Settings(output_dir=str(tmp_path / "out"), model=str(model))
    with RunFolder(settings.output_dir, reads=read_by(settings)) as run:
        run.begin(Settings(), {"train": {}})
        files.write_text(run / files.SHIPPED_MODEL / "config.json", "{}\n")
        files.write_text(run / files.TRAINING_LOG, "")
        model.write_text("others!!")
        with pytest.raises(RunFailedError, match="changed while it was read"):
            run.done(Settings(), "train", {})
        assert not (run / files.SHIPPED_MODEL / "config.json").exists()
        assert not (run / files.TRAINING_LOG).exists()
