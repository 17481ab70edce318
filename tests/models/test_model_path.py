"""Run folders as models, and the length at which texts of a checkpoint are cut."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

import stage2
from stage2.models.auto import load_model
from stage2.models.family import LoadOptions
from stage2.models.gbert import checkpoint
from stage2.models.gbert.model import ProbabilisticGBERTV4
from stage2.models.init_model import init_model
from stage2.models.model_path import found_model, model_in
from stage2.utils import files, tensors
from stage2.utils.errors import BadInputError
from tests.conftest import Stage2, data_flags
from tests.model_folders import OPTIONS


def test_a_run_folder_gives_its_model(model_dir: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / files.RUN).write_text("{}")
    with pytest.raises(BadInputError, match="a run folder without a model"):
        model_in(run)
    for place in (files.STAGE1_MODEL, files.SHIPPED_MODEL):
        shutil.copytree(model_dir, run / place)
        assert model_in(run) == run / place
        assert stage2.ProbabilisticGBERTV4.from_pretrained(run).embedding_dim == 64
        assert checkpoint.embedding_dim(run) == 64
        assert checkpoint.model_files(run) == checkpoint.model_files(run / place)
    assert model_in(model_dir) == model_dir
    assert model_in(tmp_path / "none.pt") == tmp_path / "none.pt"


def test_a_command_says_which_model_it_takes(
    stage2: Stage2, model_dir: Path, corpus: dict[str, Path], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / files.RUN).write_text("{}")
    shutil.copytree(model_dir, run / files.STAGE1_MODEL)
    taken = f"{run} is a run folder: taking its model {run / files.STAGE1_MODEL}"
    assert found_model(str(run)) == str(run / files.STAGE1_MODEL)
    flags = ["--model", run, *data_flags(corpus), "--embedding-cache", "off"]
    assert taken in stage2("mine", *flags).stderr
    assert taken in stage2("evaluate", *flags, "--output-dir", tmp_path / "e").stderr
    settings = (tmp_path / "out" / files.SETTINGS).read_text(encoding="utf-8")
    assert f'model = "{run / files.STAGE1_MODEL}"' in settings


@pytest.fixture
def short(backbone: Path, tmp_path: Path) -> Path:
    """Return a model that cuts texts at 8 tokens, not at 128 or at the limit of its encoder."""
    made = init_model(str(backbone), [], **OPTIONS | {"max_length": 8, "embedding_dim": 64})
    made.save_pretrained(tmp_path / "short")
    return tmp_path / "short"


def test_a_checkpoint_is_read_at_the_length_that_it_was_trained_at(
    short: Path, backbone: Path, corpus: dict[str, Path], tmp_path: Path, stage2: Stage2
) -> None:
    qa = [*data_flags(corpus), "--embedding-cache", tmp_path / "cache"]
    stage2("mine", "--model", short, "--topk", 1, *data_flags(corpus))
    stage2("train", "--model", short, "--epochs", 2, "--keep-checkpoints", 1, "--split", "none")
    checkpoints = tmp_path / "out" / files.CHECKPOINTS
    kept = checkpoints / "epoch_2.pt"
    # A copy of the file keeps the length.
    kept = Path(shutil.copy(kept, tmp_path / "elsewhere.pt"))
    model = load_model(kept, LoadOptions(str(backbone)))
    assert model.max_length == 8
    model.save_pretrained(tmp_path / "same")
    found = []
    for number, flags in enumerate((["--model", kept, "--backbone", backbone],
                                    ["--model", tmp_path / "same"])):  # fmt: skip
        out = tmp_path / f"e{number}"
        result = stage2("evaluate", *flags, *qa, "--output-dir", out)
        assert "where texts are to be cut" not in result.stderr
        found.append(json.loads((out / files.EVALUATION).read_text(encoding="utf-8")))
    assert found[0] == found[1]
    result = stage2("mine", "--model", kept, "--backbone", backbone, "--max-length", 16, *qa,
                    "--output-dir", tmp_path / "m", exit_code=2)  # fmt: skip
    assert "was trained with texts cut at 8 tokens" in result.stderr


def test_a_checkpoint_alone_is_read_at_a_length_that_is_told(
    short: Path, backbone: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    stage2: Stage2, corpus: dict[str, Path],
) -> None:  # fmt: skip
    path = tmp_path / "alone" / "m.pt"
    path.parent.mkdir()
    # Other programs write it like this.
    torch.save(ProbabilisticGBERTV4.from_pretrained(short).state_dict(), path)
    load = ProbabilisticGBERTV4.from_reference
    caplog.set_level("INFO", "stage2")
    assert load(path, backbone).max_length == 64, "128, and no more than the encoder takes"
    assert "does not say where texts are to be cut: at 64 tokens" in caplog.text
    caplog.clear()
    assert load(path, backbone, max_length=8).max_length == 8
    assert not caplog.records
    with pytest.raises(BadInputError, match="at least 4"):
        load(path, backbone, max_length=3)
    state = checkpoint.read_state_dict(path)
    for about in ({"max_length": -20}, {"max_length": "8"}, {}, {"max_length": None}):
        tensors.save_state_dict(state, path, about)
        with pytest.raises(BadInputError, match=r"m\.pt: max_length is"):
            load(path, backbone)
    tensors.save_state_dict(state, path)
    flags = ["--model", path, "--backbone", backbone, *data_flags(corpus), "--embedding-cache",
             tmp_path / "cache"]  # fmt: skip
    results = []
    for length in (8, 16):
        out = tmp_path / f"e{length}"
        stage2("mine", *flags, "--max-length", length, "--output-dir", out)
        results.append((out / files.EVALUATION).read_bytes())
    assert results[0] != results[1], "the vectors of one length were kept for another"
