"""Find the family of the model at a path, and load the model."""

from __future__ import annotations

import os

from stage2.encoding.encoder import Encoder
from stage2.models.family import Family, LoadOptions
from stage2.models.gbert.family import GBERT
from stage2.models.model_path import model_in
from stage2.models.sentence_transformers.family import (
    HuggingFaceFolder,
    RouterFolder,
    SentenceTransformersFolder,
)
from stage2.utils.errors import BadInputError

# The first family that holds a path reads it.
FAMILIES: tuple[Family, ...] = (
    RouterFolder(),
    SentenceTransformersFolder(),
    GBERT(),
    HuggingFaceFolder(),
)
_DEFAULT_OPTIONS = LoadOptions()


def family_of(path: str | os.PathLike[str]) -> Family:
    """Return the family of the model at a path or in a run folder.

    Raises:
        BadInputError: there is no model.
    """
    found = model_in(path)
    for family in FAMILIES:
        if family.holds(found):
            return family
    if not found.exists():
        raise BadInputError(
            f"{found}: no such model; expected a folder with a model of sentence-transformers or "
            "an encoder of Hugging Face, one that stage2 init wrote, or a .pt file"
        )
    raise BadInputError(
        f"{found}: neither modules.json nor config.json there; expected a folder with a model of "
        "sentence-transformers or an encoder of Hugging Face, or one that stage2 init wrote"
    )


def load_model(path: str | os.PathLike[str], options: LoadOptions = _DEFAULT_OPTIONS) -> Encoder:
    """Load the model at a path or in a run folder; see `Family.load`."""
    return family_of(path).load(model_in(path), options)
