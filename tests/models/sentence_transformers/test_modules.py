"""The list of modules in a folder: which are read, in which order, and what is said of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stage2.models.auto import load_model
from stage2.models.sentence_transformers.modules import MODULES, Module, check_order
from stage2.utils.errors import BadInputError
from tests.sentence_models import KINDS, write_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(KINDS["dense"], tmp_path)


def set_module(folder: Path, number: int, **entries: Any) -> None:
    path = folder / MODULES
    rows = json.loads(path.read_text())
    rows[number] |= entries
    path.write_text(json.dumps(rows))


def test_code_of_its_own_is_named_and_not_run(folder: Path) -> None:
    (folder / "custom.py").write_text("raise SystemExit('it was run')\n")
    set_module(folder, 2, type="custom.Evil")
    with pytest.raises(BadInputError, match=r"module 2 is custom\.Evil, which is code"):
        load_model(folder)


def test_a_module_outside_the_folder_is_refused(folder: Path) -> None:
    set_module(folder, 2, path="../other")
    with pytest.raises(BadInputError, match="module 2 lies outside the folder"):
        load_model(folder)


def test_modules_that_are_not_trained_are_named(folder: Path) -> None:
    set_module(folder, 2, type="sentence_transformers.models.SpladePooling")
    with pytest.raises(BadInputError, match="module 2 is SpladePooling; stage2 trains models of"):
        load_model(folder)
    set_module(folder, 2, type="sentence_transformers.models.Pooling")
    with pytest.raises(BadInputError, match="expected a Transformer, and after it one Pooling"):
        load_model(folder)
    (folder / MODULES).write_text('{"idx": 0}')
    with pytest.raises(BadInputError, match="expected a list of modules"):
        load_model(folder)
    (folder / MODULES).write_text("[")
    with pytest.raises(BadInputError, match="is no JSON"):
        load_model(folder)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("BoW", "counts of words, without a weight that could be trained"),
        ("CLIPModel", "it embeds images too"),
    ],
)
def test_why_a_module_is_not_trained_is_said(folder: Path, kind: str, why: str) -> None:
    set_module(folder, 0, type=f"sentence_transformers.models.{kind}")
    with pytest.raises(BadInputError, match=rf"module 0 is {kind} \(.*{why}.*\); stage2 trains"):
        load_model(folder)


@pytest.mark.parametrize(
    ("kinds", "good"),
    [
        ("Transformer Pooling Dense", True),
        ("Transformer WeightedLayerPooling Pooling", True),
        ("Transformer WordWeights Pooling", True),
        ("Transformer WordWeights Dropout Pooling", False),
        ("Transformer Pooling WordWeights", False),
        ("Transformer Dropout WeightedLayerPooling Pooling", False),
        ("Transformer CNN Pooling", False),
        ("Transformer Pooling LSTM", False),
        ("StaticEmbedding Dense", True),
        ("StaticEmbedding Pooling", False),
        ("WordEmbeddings LSTM CNN LayerNorm Pooling Normalize", True),
        ("WordEmbeddings Pooling", True),
        ("WordEmbeddings", False),
        ("WordEmbeddings Dropout LSTM Pooling", False),
        ("Pooling", False),
        ("", False),
    ],
)
def test_the_order_of_modules(kinds: str, good: bool) -> None:
    modules = [Module(kind, Path()) for kind in kinds.split()]
    if good:
        check_order(modules, Path("modules.json"))
    else:
        with pytest.raises(BadInputError, match="expected a Transformer, and after it one Pooling"):
            check_order(modules, Path("modules.json"))
