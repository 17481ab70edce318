"""Copies of model folders with damaged or changed files."""

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
    """Copy a model's folder, and change entries of its config.json."""
    shutil.copytree(source, target)
    change(target / "config.json", **entries)
    return target


def change(path: Path, **entries: Any) -> None:
    """Change entries of a JSON file."""
    config = json.loads(path.read_text(encoding="utf-8")) | entries
    path.write_text(json.dumps(config), encoding="utf-8")


def rewritten(
    folder: Path, how: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]
) -> None:
    """Replace the weights in a folder by what a function makes of them."""
    state = load_file(folder / WEIGHTS)
    save_file(how(state), folder / WEIGHTS, metadata={"format": "pt"})


def saved(model: Any, folder: Path, backbone: Path) -> Path:
    """Save a model of transformers with the tokenizer of another."""
    model.save_pretrained(folder)
    for path in backbone.iterdir():
        if path.name not in ("config.json", WEIGHTS.name):
            shutil.copy(path, folder / path.name)
    return folder
