"""Rerankers, which read a question and a context together: which kind a folder holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch

from stage2.models import hub
from stage2.models.cross_encoder import CrossEncoder, cross_encoder_hash, probe_pairs
from stage2.models.model_config import CONFIG
from stage2.models.sentence_transformers.chat_reranker import LOGIT_SCORE, ChatReranker
from stage2.models.sentence_transformers.modules import MODULES
from stage2.utils import files
from stage2.utils.arrays import Floats
from stage2.utils.progress import Progress

FLAG = "--cross-encoder"

# The files of a reranker that decide what a score is beside the weights: its tokenizer, templates,
# and what is told of its modules.
_SMALL = ("*.json", "*.jinja", "*.txt", "*.model")


class Reranker(Protocol):
    """A model that scores pairs of a question and a context."""

    def score(
        self,
        questions: Sequence[str],
        contexts: Sequence[str],
        *,
        precision: str = "auto",
        progress: Progress | None = None,
    ) -> Floats:
        """Return the score of each pair, in logits; see `CrossEncoder.score`."""


def load_reranker(name: str, device: torch.device, what: str = FLAG) -> Reranker:
    """Load a sequence classifier with one output, or a language model that is asked by a template.

    Args:
        name: a folder or a hub id.
        device: the device on which the model will run.
        what: the word for the model in messages.

    Raises:
        BadInputError: it cannot be loaded, or gives no scores.
    """
    if not _is_chat(hub.folder_of(name, what)):
        return CrossEncoder.load(name, device, what)
    found = ChatReranker.load(name, device, what)
    probe_pairs(found, f"{what} {name}")
    return found


def reranker_hash(name: str) -> str:
    """Return the SHA-256 of what a reranker was read from, or its id if it comes from the hub.

    Of a classifier these are its weights. What a language model says depends on its template too.
    """
    folder = Path(name)
    if folder.is_dir() and _is_chat(folder):
        return content_hash(folder)
    return cross_encoder_hash(name)


def content_hash(folder: Path) -> str:
    """Return a SHA-256 of all files that decide what a score is, in a folder and one level down."""
    weights = _found(folder, ["*.safetensors"]) or _found(folder, ["*.bin"])
    digest = hashlib.sha256()
    for path in weights + _found(folder, _SMALL):
        place = path.relative_to(folder).as_posix()
        digest.update(f"{place} {files.sha256(path)}\n".encode())
    return digest.hexdigest()


def _found(folder: Path, patterns: Sequence[str]) -> list[Path]:
    places = (folder.glob(f"{at}{pattern}") for at in ("", "*/") for pattern in patterns)
    return sorted(path for paths in places for path in paths if path.is_file())


def is_reranker(folder: Path) -> bool:
    """Return whether a folder holds a reranker, by what its files say of it.

    sentence-transformers writes the modules of an embedding model and of a cross-encoder alike into
    `modules.json`; an embedding model has more than its transformer.
    """
    named, types = _described(folder)
    return _is_chat(folder) or (named.endswith("ForSequenceClassification") and len(types) < 2)


def _is_chat(folder: Path) -> bool:
    named, types = _described(folder)
    return LOGIT_SCORE in types or (not types and named.endswith("ForCausalLM"))


def _described(folder: Path) -> tuple[str, list[str]]:
    """Return the first class that config.json names, and the last part of that of each module."""
    described = _json(folder / CONFIG)
    architectures = described.get("architectures") if isinstance(described, dict) else None
    named = str(architectures[0]) if isinstance(architectures, list) and architectures else ""
    listed = _json(folder / MODULES)
    modules = listed if isinstance(listed, list) else []
    types = [
        str(one.get("type", "")).rpartition(".")[2] for one in modules if isinstance(one, dict)
    ]
    return named, types


def _json(path: Path) -> Any:
    """Return what a file of JSON holds, or None if it is not there or is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
