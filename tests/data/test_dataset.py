"""The public names of the core's data sets, and the check of --similarity."""

from __future__ import annotations

from pathlib import Path

import pytest

import stage2
from stage2._core import Dataset
from stage2.data import dataset
from stage2.utils.errors import BadInputError


def test_the_public_data_set_is_the_cores() -> None:
    assert stage2.Dataset is dataset.Dataset is Dataset


def test_entities_are_compared_only_where_there_are_some(corpus: dict[str, Path]) -> None:
    annotations = dataset.Annotations.load(corpus["entities"])
    dataset.check_similarity("entity", annotations)
    for similarity in ("auto", "sentence"):
        dataset.check_similarity(similarity, None)
    with pytest.raises(BadInputError, match="--similarity entity needs entity annotations"):
        dataset.check_similarity("entity", None)
