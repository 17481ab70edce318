"""Models on disk: the bare state_dict of the reference, and the folder that stage2 writes."""

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
    """The tokenizer and the limit of a model, without the weights."""

    tokenizer: Any
    max_length: int


def read_reader(folder: str | os.PathLike[str]) -> TokenReader:
    """Read the tokenizer and the limit of a model folder, but not the weights."""
    root = model_in(folder)
    limit = read_model_config(root / CONFIG).max_length
    return TokenReader(hub.load_tokenizer(root, "model"), limit)


def known_max_length(path: str | os.PathLike[str]) -> int | None:
    """Return the limit of tokens that a `.pt` file names, or None if it names none.

    Raises:
        BadInputError: the limit in the file is not a whole number in range.
    """
    about = read_about(Path(path))
    return None if about is None else checked_max_length(Path(path), about)


def embedding_dim(path: str | os.PathLike[str]) -> int:
    """Return the width of a model's embeddings, from its files."""
    path = model_in(path)
    if path.is_dir():
        return read_model_config(path / CONFIG).embedding_dim
    return read_state_dict(path)[HEAD].shape[0]


def model_files(
    path: str | os.PathLike[str], backbone: str | os.PathLike[str] | None = None
) -> dict[str, str]:
    """Return the hashes of all files that a model is read from: weights, configuration, tokenizer.

    The result is empty if some of the files are not here: for a `.pt` whose backbone has no folder.
    """
    root = model_in(path)
    if root.is_dir():
        return _hashes(root)
    if backbone is None or not Path(backbone).is_dir():
        return {}
    return {"weights": sha256(root), **_hashes(Path(backbone))}


def save_folder(model: Encoder, folder: str | os.PathLike[str]) -> None:
    """Write a model folder. It replaces an earlier folder only when it is complete."""
    with replaced_folder(folder) as temporary:
        write_json(
            temporary / CONFIG,
            {
                "model_type": MODEL_TYPE,
                "architectures": [type(model).__name__],
                "embedding_dim": model.embedding_dim,
                "max_length": model.max_length,
                # Some versions of transformers do not name the dtype of the weights.
                "backbone": {**model.backbone.config.to_dict(), "dtype": "float32"},
            },
        )
        with TOKENIZING, hub.quiet_transformers():
            # The tokenizer remembers where it last cut a text, and would be saved with that limit.
            model.tokenizer.backend_tokenizer.no_truncation()
            model.tokenizer.save_pretrained(temporary)
        save_safetensors(model.state_dict(), temporary / WEIGHTS)


def _hashes(folder: Path) -> dict[str, str]:
    """Return the hashes of the files in a folder, except the card, which is only for people."""
    kept = (file for file in sorted(folder.iterdir()) if file.is_file() and file.name != CARD)
    return {file.name: sha256(file) for file in kept}
