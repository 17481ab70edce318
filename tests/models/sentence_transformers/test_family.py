"""Folders as families: what a call may say beside a path, and what vectors depend on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

from stage2.encoding.encode import encode
from stage2.models.auto import family_of, load_model
from stage2.models.family import LoadOptions
from stage2.models.sentence_transformers.family import (
    HuggingFaceFolder,
    SentenceTransformersFolder,
)
from stage2.utils.errors import BadInputError
from tests.conftest import Stage2, data_flags
from tests.sentence_models import KINDS, LENGTH, write_encoder, write_model
from tests.small import TEXTS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(KINDS["bert, cls, query prompt"], tmp_path_factory.mktemp("st"))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(KINDS["roberta"], tmp_path_factory.mktemp("hf"))


def test_the_family_is_told_by_the_files(folder: Path, encoder: Path, model_dir: Path) -> None:
    assert type(family_of(folder)) is SentenceTransformersFolder
    assert type(family_of(encoder)) is HuggingFaceFolder
    assert type(family_of(model_dir)) is not HuggingFaceFolder


@pytest.mark.parametrize("name", list(KINDS))
def test_the_width_stands_in_the_files(name: str, tmp_path: Path) -> None:
    folder = write_model(KINDS[name], tmp_path)
    model = load_model(folder)
    assert family_of(folder).embedding_dim(folder) == model.embedding_dim
    assert encode(model, TEXTS).mu.shape == (len(TEXTS), model.embedding_dim)


@pytest.mark.parametrize("pooling", [None, "cls", "lasttoken"])
def test_an_encoder_has_the_pooling_that_is_asked_for(encoder: Path, pooling: str | None) -> None:
    ours = load_model(encoder, LoadOptions(pooling=pooling))
    library = SentenceTransformer(
        modules=[Transformer(str(encoder)), Pooling(32, pooling or "mean")], device="cpu"
    )
    right = library.encode(TEXTS, normalize_embeddings=True)
    assert np.abs(encode(ours, TEXTS, precision="fp32").mu - right).max() < 1e-5


def test_an_encoder_is_written_as_it_came(encoder: Path, tmp_path: Path) -> None:
    load_model(encoder).save(tmp_path / "written")
    assert not (tmp_path / "written" / "modules.json").exists()
    again = encode(load_model(tmp_path / "written"), TEXTS, precision="fp32").mu
    assert np.array_equal(again, encode(load_model(encoder), TEXTS, precision="fp32").mu)


def test_prompts_and_limits_of_a_call_are_used_and_kept(folder: Path, tmp_path: Path) -> None:
    options = LoadOptions(
        prompts={"query": "where ", "document": "what "},
        max_lengths={"query": 8, "document": 16},
    )
    model = load_model(folder, options)
    model.save(tmp_path / "written")
    written = load_model(tmp_path / "written")
    assert written.prompts == {"query": "where ", "document": "what "}
    assert written.max_lengths == {"query": 8, "document": 16}
    library = SentenceTransformer(str(tmp_path / "written"), device="cpu")
    for role, call in (("query", library.encode_query), ("document", library.encode_document)):
        ours = encode(model, TEXTS, role=role, precision="fp32").mu
        assert np.abs(ours - call(TEXTS, normalize_embeddings=True)).max() < 1e-5
    # Without them the vectors are others.
    plain = encode(load_model(folder), TEXTS, role="query", precision="fp32").mu
    assert np.abs(plain - encode(model, TEXTS, role="query", precision="fp32").mu).max() > 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (LoadOptions(pooling="cls"), "names the model's own pooling"),
        (LoadOptions(max_lengths={"query": LENGTH + 1}), f"expected 4 to {LENGTH}"),
        (LoadOptions(prompts={"query": "the " * LENGTH}), "expected room for 4 tokens of the text"),
    ],
)
def test_what_a_model_has_no_place_for(folder: Path, options: LoadOptions, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        load_model(folder, options)


def test_our_own_model_has_no_place_for_them(model_dir: Path) -> None:
    with pytest.raises(BadInputError, match="leave --query-prompt, --pooling out"):
        load_model(model_dir, LoadOptions(pooling="cls", prompts={"query": "q"}))


def test_the_hash_is_of_all_that_vectors_depend_on(folder: Path, tmp_path: Path) -> None:
    load_model(folder).save(tmp_path / "written")
    written, family = tmp_path / "written", SentenceTransformersFolder()
    before = family.weights_hash(written)
    (written / "README.md").write_text("words for people")
    assert family.weights_hash(written) == before
    path = written / "config_sentence_transformers.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"prompts": {"query": "other "}}))
    assert family.weights_hash(written) != before


def test_a_tokenizer_without_padding_is_refused(tmp_path: Path) -> None:
    folder = write_encoder(KINDS["qwen3, last token"], tmp_path / "qwen")
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        path = folder / name
        if path.exists():
            told = json.loads(path.read_text())
            path.write_text(json.dumps({k: v for k, v in told.items() if k != "pad_token"}))
    with pytest.raises(BadInputError, match="has no padding token"):
        load_model(folder, LoadOptions(pooling="lasttoken"))


def test_entities_need_a_mean(folder: Path, tmp_path: Path) -> None:
    spans = [[(0, len(text.split()[0]))] for text in TEXTS]
    assert not encode(load_model(folder), TEXTS, spans).has_entity.any()
    mean = load_model(write_model(KINDS["dense"], tmp_path))
    found = encode(mean, TEXTS, spans, precision="fp32")
    assert found.has_entity.all()
    # An entity that is all of a text but the tokens around it goes through the same modules.
    assert np.allclose(np.linalg.norm(found.entity, axis=1), 1, atol=1e-5)


def test_what_a_pooling_means_for_entities_is_said(
    stage2: Stage2, corpus: dict[str, Path], folder: Path, tmp_path: Path
) -> None:
    flags = ["mine", *data_flags(corpus), "--model", folder]
    refused = stage2(*flags, "--similarity", "entity", exit_code=2)
    assert "by their mean, so that entities have no vectors" in refused.stderr
    assert not (tmp_path / "out").exists()
    told = stage2(*flags)
    assert "every pair is compared by its sentences" in told.stderr
    # The prompt that is read before a text is said too.
    assert "questions (12), each after 'find the '" in told.stderr


def test_a_pooling_that_is_not_named_is_said(
    stage2: Stage2, corpus: dict[str, Path], encoder: Path
) -> None:
    flags = ["mine", *data_flags(corpus)[:4], "--model", encoder]
    assert "names no pooling; its tokens are pooled by their mean" in stage2(*flags).stderr
    quiet = stage2(*flags, "--pooling", "cls", "--overwrite")
    assert "names no pooling" not in quiet.stderr
