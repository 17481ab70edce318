"""Models on disk: the reference's bare state_dict, and a Hugging Face folder of our own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stage2.encoding.encoder import Encoder
from stage2.encoding.tokens import TOKENIZING
from stage2.models import hub
from stage2.models.model_config import (
    CONFIG,
    MODEL_TYPE,
    checked_max_length,
    read_model_config,
)
from stage2.models.model_path import model_in
from stage2.utils.files import CARD, replaced_folder, sha256, write_json
from stage2.utils.tensors import (
    read_about,
    read_state_dict,
    save_safetensors,
)

WEIGHTS = "model.safetensors"

HEAD = "semantic_head.2.weight"


@dataclass(frozen=True)
class TokenReader:
    """A model's tokenizer and its limit, without the weights."""

    tokenizer: Any
    max_length: int


def read_reader(folder: str | os.PathLike[str]) -> TokenReader:
    """Read of a model folder what says which tokens of a text the model sees."""
    root = model_in(folder)
    limit = read_model_config(root / CONFIG).max_length
    return TokenReader(hub.load_tokenizer(root, "model"), limit)


def known_max_length(path: str | os.PathLike[str]) -> int | None:
    """Most tokens of a text, as the model had it that a `.pt` is of; None where it does not say.

    Raises:
        BadInputError: what it says is damaged.
    """
    about = read_about(Path(path))
    return None if about is None else checked_max_length(Path(path), about)


def embedding_dim(path: str | os.PathLike[str]) -> int:
    """The width of a model's embeddings, read off its files."""
    path = model_in(path)
    if path.is_dir():
        return read_model_config(path / CONFIG).embedding_dim
    return read_state_dict(path)[HEAD].shape[0]


def model_files(
    path: str | os.PathLike[str], backbone: str | os.PathLike[str] | None = None
) -> dict[str, str]:
    """Hashes of all files that a model is read from: weights, configuration, tokenizer.

    Empty where some of them are not here: of a `.pt` whose backbone has no folder.
    """
    root = model_in(path)
    if root.is_dir():
        return _hashes(root)
    if backbone is None or not Path(backbone).is_dir():
        return {}
    return {"weights": sha256(root), **_hashes(Path(backbone))}


def save_folder(model: Encoder, folder: str | os.PathLike[str]) -> None:
    """Write a model folder; one that is there is replaced once the new one is whole."""
    with replaced_folder(folder) as temporary:
        write_json(
            temporary / CONFIG,
            {
                "model_type": MODEL_TYPE,
                "architectures": [type(model).__name__],
                "embedding_dim": model.embedding_dim,
                "max_length": model.max_length,
                # Not every version of transformers says of which dtype the weights are.
                "backbone": {**model.backbone.config.to_dict(), "dtype": "float32"},
            },
        )
        with TOKENIZING, hub.quiet_transformers():
            # Where texts were cut last is kept in the tokenizer, and would be written as its own.
            model.tokenizer.backend_tokenizer.no_truncation()
            model.tokenizer.save_pretrained(temporary)
        save_safetensors(model.state_dict(), temporary / WEIGHTS)


def _hashes(folder: Path) -> dict[str, str]:
    """Hashes of the files of a folder; a card for people is no part of the model."""
    kept = (file for file in sorted(folder.iterdir()) if file.is_file() and file.name != CARD)
    return {file.name: sha256(file) for file in kept}
