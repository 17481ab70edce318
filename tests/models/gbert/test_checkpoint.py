"""Models on disk: a file of the reference and a folder of this project."""

from __future__ import annotations

from pathlib import Path

import torch

import stage2
from stage2.models.gbert import checkpoint


def test_a_model_is_known_by_all_its_files(
    model: stage2.ProbabilisticGBERTV4, model_dir: Path, tmp_path: Path
) -> None:
    known = checkpoint.model_files(model_dir)
    model.save_pretrained(tmp_path / "copy")
    assert checkpoint.model_files(tmp_path / "copy") == known
    with torch.no_grad():
        model.energy_proj.bias += 1e-6
    model.save_pretrained(tmp_path / "changed")
    changed = checkpoint.model_files(tmp_path / "changed")
    assert {name for name in known if known[name] != changed[name]} == {checkpoint.WEIGHTS}


def test_a_pt_is_known_with_its_backbone(
    model: stage2.ProbabilisticGBERTV4, backbone: Path, tmp_path: Path
) -> None:
    model.save_reference(tmp_path / "epoch_1.pt")
    assert "tokenizer.json" in checkpoint.model_files(tmp_path / "epoch_1.pt", backbone)
    assert checkpoint.model_files(tmp_path / "epoch_1.pt", "some/hub-id") == {}
    assert checkpoint.embedding_dim(tmp_path / "epoch_1.pt") == 64
