"""ProbabilisticGBERTV4 as a family: its folders, and the reference's files."""

from __future__ import annotations

from pathlib import Path

import pytest

import stage2
from stage2.models.family import LoadOptions
from stage2.models.gbert.checkpoint import WEIGHTS
from stage2.models.gbert.family import GBERT
from stage2.utils.errors import BadInputError
from stage2.utils.files import sha256


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
