"""Each family of encoders gives all the information that is needed."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from stage2.models.auto import FAMILIES, family_of, load_model
from stage2.models.family import Family, LoadOptions
from stage2.utils import files
from tests.sentence_models import KINDS, write_encoder, write_model

ASKED = [name for name, part in vars(Family).items() if inspect.isfunction(part) and name[0] != "_"]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
@pytest.mark.parametrize("name", ASKED)
def test_each_answers_what_is_asked_of_a_family(family: Family, name: str) -> None:
    asked = inspect.signature(getattr(Family, name)).parameters
    answered = inspect.signature(getattr(type(family), name)).parameters
    assert list(answered) == list(asked)


@pytest.mark.parametrize("kind", ["dense", "dot product", "euclidean distance"])
def test_what_vectors_are_compared_by_is_told_without_weights(kind: str, tmp_path: Path) -> None:
    """A model whose vectors are all in the cache is not loaded."""
    folder = write_model(KINDS[kind], tmp_path)
    two = tmp_path / "router"
    load_model(folder, LoadOptions(train="query")).save(two)
    for path in (folder, two):
        assert family_of(path).distance(path) == load_model(path).distance
    encoder = write_encoder(KINDS[kind], tmp_path / "encoder")
    # The file of another library's settings is not read with an encoder that stands alone.
    files.write_json(encoder / "config_sentence_transformers.json", {
        "similarity_fn_name": "euclidean"
    })  # fmt: skip
    assert family_of(encoder).distance(encoder) is load_model(encoder).distance is None
