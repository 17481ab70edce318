"""Folders of sentence-transformers: what is refused, and what is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer

from stage2.encoding.encode import encode
from stage2.encoding.similarity import similarity
from stage2.models.auto import load_model
from stage2.models.sentence_transformers import layout
from stage2.models.sentence_transformers.modules import MODULES
from stage2.utils.errors import BadInputError
from tests.conftest import tree
from tests.sentence_models import KINDS, write_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(KINDS["dense"], tmp_path)


def change(path: Path, **entries: Any) -> None:
    found = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(found | entries))


def test_weights_that_are_not_there_are_named(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    gone = next(name for name in weights if name.endswith("query.weight"))
    save_file({name: w for name, w in weights.items() if name != gone}, path, {"format": "pt"})
    with pytest.raises(BadInputError, match=rf"missing {gone}"):
        load_model(folder)
    save_file(weights | {gone: torch.zeros(3, 3)}, path, {"format": "pt"})
    with pytest.raises(BadInputError, match=rf"of another shape {gone}"):
        load_model(folder)
    path.unlink()
    with pytest.raises(BadInputError, match="no weights there"):
        load_model(folder)


def test_a_module_without_its_weights_is_refused(folder: Path) -> None:
    (folder / "2_Dense" / "model.safetensors").unlink()
    with pytest.raises(BadInputError, match="cannot be loaded"):
        load_model(folder)


def test_weights_that_are_not_finite_are_named(folder: Path) -> None:
    path = folder / "2_Dense" / "model.safetensors"
    save_file({name: w / 0 for name, w in load_file(path).items()}, path)
    with pytest.raises(BadInputError, match=r"2_Dense: linear\.\w+ .* NaN or infinite"):
        load_model(folder)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"default_prompt_name": "fetch"}, "a prompt that is not in the model"),
        ({"similarity_fn_name": "hamming"}, "one of cosine, dot, euclidean, manhattan"),
        ({"prompts": ["query"]}, "expected texts by their names"),
        ({"prompts": {"query": 3}}, "expected texts by their names"),
        ({"truncate_dim": -1}, "expected a number above 0"),
    ],
)
def test_a_configuration_that_says_nothing_usable(
    folder: Path, entries: dict[str, Any], message: str
) -> None:
    change(folder / layout.LIBRARY_CONFIG, **entries)
    with pytest.raises(BadInputError, match=message):
        load_model(folder)


def test_a_token_without_a_weight_is_refused(tmp_path: Path) -> None:
    folder = write_model(KINDS["weights of words"], tmp_path)
    path = folder / "1_WordWeights" / "config.json"
    change(path, vocab=json.loads(path.read_text())["vocab"][:9])
    with pytest.raises(BadInputError, match=r"WordWeights has weights of .*; expected a weight of"):
        load_model(folder)


def test_weights_of_words_are_not_trained(tmp_path: Path) -> None:
    model = load_model(write_model(KINDS["weights of words"], tmp_path))
    assert not [name for name, _ in model.named_parameters() if "word_weights" in name]
    assert not model.has_entities


@pytest.mark.parametrize("name", ["euclidean", "manhattan"])
def test_scores_by_a_distance_are_the_librarys(tmp_path: Path, name: str) -> None:
    folder = write_model(KINDS[f"{name} distance"], tmp_path)
    model = load_model(folder)
    assert (model.similarity, model.distance) == (name, name)
    model.save(tmp_path / "again")
    library = SentenceTransformer(str(tmp_path / "again"), device="cpu")
    assert library.similarity_fn_name == name
    texts = ["who", "where", "when", "the river", "a long answer"]
    vectors = library.encode(texts)
    wanted = library.similarity(vectors, vectors).numpy()
    found = encode(model, texts, precision="fp32")
    # The library takes the root of the rest of large products, where equal vectors leave noise.
    np.testing.assert_allclose(similarity(found, found), wanted, atol=2e-3)
    apart = ~np.eye(len(texts), dtype=bool)
    np.testing.assert_allclose(similarity(found, found)[apart], wanted[apart], atol=1e-5)


def test_a_default_prompt_is_read_before_all_texts(folder: Path) -> None:
    change(folder / layout.LIBRARY_CONFIG, prompts={"all": "find "}, default_prompt_name="all")
    assert load_model(folder).prompts == {"query": "find ", "document": "find "}


def test_the_names_of_a_roles_prompt() -> None:
    named = {"query": "q: ", "document": "", "passage": "p: ", "task": "t: "}
    assert layout.prompts_in(named, None) == {"query": "q: ", "document": "p: "}
    assert layout.prompts_in({"query": "q: "}, None) == {"query": "q: "}
    assert layout.prompts_in({"query": "q: ", "task": "t: "}, "task") == {
        "query": "q: ", "document": "t: ",
    }  # fmt: skip


def test_a_folder_is_written_twice_alike_and_replaced_whole(folder: Path, tmp_path: Path) -> None:
    model = load_model(folder)
    model.save(tmp_path / "a")
    once = tree(tmp_path / "a")
    (tmp_path / "a" / "more").write_text("x")
    model.save(tmp_path / "a")
    assert tree(tmp_path / "a") == once
    # The library's own module, and no class of ours.
    assert "stage2" not in (tmp_path / "a" / MODULES).read_text()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("name", ["half precision", "bert, cls, query prompt"])
def test_weights_are_written_in_the_type_that_they_came_in(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    model = load_model(write_model(kind, tmp_path))
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    model.save(tmp_path / "written")
    written = load_file(tmp_path / "written" / "model.safetensors")
    assert {weight.dtype for weight in written.values()} == {kind.dtype}
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
