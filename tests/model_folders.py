"""Folders of models that were made, and then spoilt."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from stage2.models.gbert import checkpoint

OPTIONS: dict[str, Any] = {"embedding_dim": 16, "max_length": 32, "seed": 0, "fit": False}
WEIGHTS = Path(checkpoint.WEIGHTS)


def copied(source: Path, target: Path, **entries: Any) -> Path:
    """A copy of a model's folder whose config.json has other entries."""
    shutil.copytree(source, target)
    change(target / "config.json", **entries)
    return target


def change(path: Path, **entries: Any) -> None:
    """Give a file of JSON other entries."""
    config = json.loads(path.read_text(encoding="utf-8")) | entries
    path.write_text(json.dumps(config), encoding="utf-8")


def rewritten(
    folder: Path, how: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]
) -> None:
    """Put what a function makes of a folder's weights in their place."""
    state = load_file(folder / WEIGHTS)
    save_file(how(state), folder / WEIGHTS, metadata={"format": "pt"})


def saved(model: Any, folder: Path, backbone: Path) -> Path:
    """Save a model of transformers with the tokenizer of another."""
    model.save_pretrained(folder)
    for path in backbone.iterdir():
        if path.name not in ("config.json", WEIGHTS.name):
            shutil.copy(path, folder / path.name)
    return folder
