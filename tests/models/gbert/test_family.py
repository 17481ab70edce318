"""ProbabilisticGBERTV4 as a family: its folders, and the reference's files."""

from __future__ import annotations

from pathlib import Path

import pytest

import stage2
from stage2.models.family import LoadOptions
from stage2.models.gbert.checkpoint import WEIGHTS
from stage2.models.gbert.family import GBERT
from stage2.models.init_model import init_model
from stage2.models.model_config import CONFIG
from stage2.utils.errors import BadInputError
from stage2.utils.files import read_json, sha256, write_json


def test_a_folder_says_all_without_its_weights_being_read(
    model: stage2.ProbabilisticGBERTV4, model_dir: Path, tmp_path: Path
) -> None:
    family, folder = GBERT(), tmp_path / "model"
    model.save_pretrained(folder)
    assert not family.holds(tmp_path)
    assert family.holds(folder)
    assert family.files(folder, None) == family.files(model_dir, None)
    assert family.weights_hash(folder) == sha256(folder / WEIGHTS)
    (folder / WEIGHTS).write_bytes(b"")
    assert family.embedding_dim(folder) == model.embedding_dim
    assert family.reader(folder, LoadOptions()).max_length == model.max_length
    assert family.max_length(folder) is None


def test_a_file_of_weights_needs_its_encoder(
    model: stage2.ProbabilisticGBERTV4, backbone: Path, tmp_path: Path
) -> None:
    family, path = GBERT(), tmp_path / "epoch_1.pt"
    model.save_reference(path)
    assert family.holds(path)
    assert family.weights_hash(path) == sha256(path)
    assert family.embedding_dim(path) == model.embedding_dim
    assert family.max_length(path) == model.max_length
    with pytest.raises(BadInputError, match="name its encoder with --backbone"):
        family.load(path, LoadOptions())
    assert family.load(path, LoadOptions(str(backbone))).max_length == model.max_length
    # The contents of an encoder from the hub are not known.
    assert family.files(path, "owner/name") == {}
    assert "weights" in family.files(path, str(backbone))


def test_a_model_knows_the_encoder_that_it_was_made_from(
    backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so wherever it is read, though its backbone was named by a relative path."""
    family, folder = GBERT(), tmp_path / "model"
    monkeypatch.chdir(backbone.parent)
    made = init_model(backbone.name, [], embedding_dim=8, max_length=32, seed=0, fit=False)
    made.save_pretrained(folder)
    monkeypatch.chdir(tmp_path)
    assert family.backbone(folder, LoadOptions()) == backbone
    # A model that was trained from it is written by an encoder that was read.
    stage2.load_model(folder).save(tmp_path / "trained")
    assert family.backbone(tmp_path / "trained", LoadOptions()) == backbone
    made.save_reference(tmp_path / "epoch_1.pt")
    assert family.backbone(tmp_path / "epoch_1.pt", LoadOptions()) is None
    options = LoadOptions(backbone=str(backbone))
    assert family.backbone(tmp_path / "epoch_1.pt", options) == backbone
    family.load(tmp_path / "epoch_1.pt", options).save(tmp_path / "of-pt")
    assert family.backbone(tmp_path / "of-pt", LoadOptions()) == backbone


@pytest.mark.parametrize("source", [None, "", "encoder", 3])
def test_a_source_that_is_no_path_is_not_looked_for(
    source: object, model_dir: Path, tmp_path: Path
) -> None:
    config = read_json(model_dir / CONFIG)
    config["backbone"]["_name_or_path"] = source
    write_json(tmp_path / CONFIG, config)
    assert GBERT().backbone(tmp_path, LoadOptions()) is None
