"""The family of the model at a path."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stage2 import ProbabilisticGBERTV4
from stage2.models.auto import load_model
from stage2.models.family import LoadOptions
from stage2.utils import files
from stage2.utils.errors import BadInputError
from tests.conftest import Stage2, data_flags


def test_a_pt_file_needs_its_backbone(
    stage2: Stage2, corpus: dict[str, Path], golden: Path, tmp_path: Path
) -> None:
    result = stage2("mine", "--model", golden / "stage1.pt", *data_flags(corpus), exit_code=2)
    assert "--backbone" in result.stderr


def test_a_folder_a_run_and_a_file_of_weights_are_one_model(
    model: ProbabilisticGBERTV4, model_dir: Path, backbone: Path, tmp_path: Path
) -> None:
    model.save_reference(tmp_path / "epoch_1.pt")
    model.save_pretrained(tmp_path / "run" / files.SHIPPED_MODEL)
    files.write_json(tmp_path / "run" / files.RUN, {})
    found = [
        load_model(model_dir),
        load_model(tmp_path / "run"),
        load_model(tmp_path / "epoch_1.pt", LoadOptions(str(backbone))),
    ]
    for one in found:
        state = one.state_dict()
        assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
        assert one.max_length == model.max_length


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no such model; expected a folder"):
        load_model(tmp_path / "none")
