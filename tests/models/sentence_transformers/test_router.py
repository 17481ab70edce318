"""Models with an encoder for each role: the library's vectors, and one side that never changes."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize, Router

from stage2.encoding.encode import encode, encode_windows
from stage2.encoding.encoder import Encoder
from stage2.encoding.tokens import Role, Texts
from stage2.models.auto import family_of, load_model
from stage2.models.export import export
from stage2.models.family import LoadOptions
from stage2.models.sentence_transformers.family import RouterFolder
from stage2.models.sentence_transformers.modules import MODULES
from stage2.models.sentence_transformers.router import CONFIG, RouterEncoder
from stage2.utils.errors import BadInputError
from tests.conftest import tree
from tests.sentence_models import KINDS, write_encoder, write_model
from tests.small import TEXTS

ROLES: tuple[Role, ...] = ("query", "document")
TWO = LoadOptions(train="query")


def library_of(folder: Path) -> SentenceTransformer:
    return SentenceTransformer(
        str(folder), device="cpu", model_kwargs={"dtype": torch.float32}
    ).float()


def write_router(
    folder: Path, query: str, document: str, shared: bool = False, **more: Any
) -> Path:
    """A router of two kinds of models, as the library saves it."""
    sides = [library_of(write_model(KINDS[name], folder / str(number)))
             for number, name in enumerate((query, document))]  # fmt: skip
    router = Router.for_query_document(*(list(side) for side in sides), **more)
    made = SentenceTransformer(
        modules=[router, *([Normalize()] if shared else [])],
        prompts={name: prompt for side in sides for name, prompt in side.prompts.items() if prompt},
        device="cpu",
    )
    made.save(str(folder / "router"), create_model_card=False)
    return folder / "router"


def check_library(model: Encoder, folder: Path) -> None:
    library = library_of(folder)
    for role, call in (("query", library.encode_query), ("document", library.encode_document)):
        ours = encode(model, TEXTS, role=role, precision="fp32").mu
        right = call(TEXTS, normalize_embeddings=model.similarity == "cosine")
        assert np.abs(ours - right).max() <= 1e-5 * max(1, np.abs(right).max())


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of queries of another kind than that of documents, with another prompt rule."""
    folder = tmp_path_factory.mktemp("mixed")
    return write_router(folder, "prompt not pooled", "roberta", shared=True, default_route="query")


@pytest.mark.parametrize("name", list(KINDS))
def test_a_model_of_two_starts_with_the_vectors_of_one(name: str, tmp_path: Path) -> None:
    folder = write_model(KINDS[name], tmp_path)
    one, two = load_model(folder), load_model(folder, TWO)
    for role in ROLES:
        ours, right = (encode(m, TEXTS, role=role, precision="fp32").mu for m in (two, one))
        assert np.array_equal(ours, right)
    with torch.no_grad():
        for weight in two.parts["query"].parameters():
            # The numbers must be some that the type on disk holds.
            weight.copy_((weight + 0.01).to(one.saved_dtype))
    changed = encode(two, TEXTS, role="query", precision="fp32").mu
    assert np.abs(changed - encode(one, TEXTS, role="query", precision="fp32").mu).max() > 1e-4
    documents = encode(two, TEXTS, role="document", precision="fp32").mu
    assert np.array_equal(documents, right)
    two.save(tmp_path / "written")
    written = load_model(tmp_path / "written")
    assert type(written) is RouterEncoder
    for side in (two, written):
        check_library(side, tmp_path / "written")
    assert family_of(tmp_path / "written").embedding_dim(tmp_path / "written") == two.embedding_dim


def test_texts_of_both_roles_in_one_batch(mixed: Path) -> None:
    model = load_model(mixed)
    spans = [((0, len(text.split()[0])),) for text in TEXTS]
    roles: list[Role] = [ROLES[number % 2] for number in range(len(TEXTS))]

    def read(rows: Any) -> Texts:
        return Texts([TEXTS[i] for i in rows], [spans[i] for i in rows], [roles[i] for i in rows])

    found = encode_windows(model, len(TEXTS), read, precision="fp32")
    assert found.has_entity.all()
    for row, (text, role) in enumerate(zip(TEXTS, roles, strict=True)):
        alone = encode(model.parts[role], [text], [spans[row]], role=role, precision="fp32")
        assert np.allclose(found.mu[row], alone.mu[0], atol=1e-6)
        assert np.allclose(found.entity[row], alone.entity[0], atol=1e-6)


def test_the_routers_of_others_are_read_and_given_back(mixed: Path, tmp_path: Path) -> None:
    assert type(family_of(mixed)) is RouterFolder
    model = load_model(mixed)
    check_library(model, mixed)
    model.save(tmp_path / "written")
    assert tree(tmp_path / "written").keys() == tree(mixed).keys()
    assert (tmp_path / "written" / CONFIG).read_bytes() == (mixed / CONFIG).read_bytes()
    check_library(load_model(tmp_path / "written"), tmp_path / "written")


def test_prompts_and_limits_of_a_call_belong_to_a_role(tmp_path: Path) -> None:
    folder = write_model(KINDS["prompt not pooled"], tmp_path)
    options = LoadOptions(
        train="query", prompts={"document": "the "}, max_lengths={"query": 9, "document": 20}
    )
    model = load_model(folder, options)
    assert model.prompts == {"query": "find the ", "document": "the "}
    assert model.max_lengths == {"query": 9, "document": 20}
    model.save(tmp_path / "written")
    written = load_model(tmp_path / "written")
    assert (dict(written.prompts), written.max_lengths) == (model.prompts, model.max_lengths)
    check_library(written, tmp_path / "written")
    check_library(model, tmp_path / "written")


def test_an_encoder_of_hugging_face_keeps_its_pooling(tmp_path: Path) -> None:
    folder = write_encoder(KINDS["roberta"], tmp_path / "hf")
    model = load_model(folder, LoadOptions(train="query", pooling="cls"))
    model.save(tmp_path / "written")
    check_library(model, tmp_path / "written")
    again = load_model(tmp_path / "written", LoadOptions(pooling="cls"))
    check_library(again, tmp_path / "written")
    with pytest.raises(BadInputError, match="names the model's own pooling"):
        load_model(tmp_path / "written", LoadOptions(pooling="mean"))


def test_a_copy_and_a_bare_one_are_of_two_encoders(mixed: Path) -> None:
    model = load_model(mixed)
    right = encode(model, TEXTS, role="query", precision="fp32").mu
    twin = copy.deepcopy(model)
    assert np.array_equal(encode(twin, TEXTS, role="query", precision="fp32").mu, right)
    bare = model.bare()
    assert all(not hasattr(one.tokenizer, "vocab") for one in (bare, *bare.parts.values()))
    assert model.parts["query"].source is not None
    half = encode(model, TEXTS, role="document", precision="bf16").mu
    assert np.abs(half - encode(model, TEXTS, precision="fp32").mu).max() < 0.1


def test_an_export_is_the_router_that_it_came_as(mixed: Path, tmp_path: Path) -> None:
    export(load_model(mixed), "sentence-transformers", tmp_path / "out")
    check_library(load_model(mixed), tmp_path / "out")


def test_widths_that_differ_cannot_be_compared(tmp_path: Path) -> None:
    folder = write_router(tmp_path, "dense", "roberta")
    with pytest.raises(BadInputError, match="vectors of width 16 and that of documents of 32"):
        load_model(folder)


def change(path: Path, **entries: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"structure": {"query": []}}, "its routes are query; expected query and document"),
        ({"structure": {"query": ["nowhere"], "document": []}}, "expected types and structure"),
        ({"types": {"query_0_Transformer": 3}}, "expected types and structure"),
        ({"structure": {"query": [], "document": []}}, "modules are Normalize; expected"),
        ({"parameters": {"default_route": "image"}}, "expected parameters with a default_route"),
        (
            {"parameters": {"route_mappings": {"(None, 'image')": "query"}}},
            "its routes are query, document, .* expected query and document",
        ),
    ],
)
def test_other_routes_are_refused(
    mixed: Path, tmp_path: Path, entries: dict[str, Any], message: str
) -> None:
    load_model(mixed).save(tmp_path / "router")
    change(tmp_path / "router" / CONFIG, **entries)
    with pytest.raises(BadInputError, match=message):
        load_model(tmp_path / "router")


def test_code_of_its_own_is_named_and_not_run(mixed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "router"
    load_model(mixed).save(folder)
    told = json.loads((folder / CONFIG).read_text())
    (folder / "custom.py").write_text("raise SystemExit('it was run')\n")
    change(folder / CONFIG, types=told["types"] | {"query_1_Pooling": "custom.Evil"})
    with pytest.raises(BadInputError, match=r"module query_1_Pooling is custom\.Evil, which is"):
        load_model(folder)
    types = told["types"] | {"../out": "sentence_transformers.models.Normalize"}
    structure = told["structure"] | {"query": [*told["structure"]["query"], "../out"]}
    change(folder / CONFIG, types=types, structure=structure)
    with pytest.raises(BadInputError, match=r"module \.\./out lies outside the folder"):
        load_model(folder)
    rows = json.loads((folder / MODULES).read_text())
    rows[1]["type"] = "sentence_transformers.models.Dense"
    (folder / MODULES).write_text(json.dumps(rows))
    with pytest.raises(BadInputError, match="Dense comes after the router and has weights"):
        load_model(folder)
