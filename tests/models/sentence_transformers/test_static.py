"""Tables of vectors in the place of a transformer: texts as the library reads and embeds them."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models

from stage2.encoding.encode import encode
from stage2.encoding.tokens import tokenize
from stage2.encoding.truncation import account_of
from stage2.models.auto import family_of, load_model
from stage2.models.family import LoadOptions
from stage2.models.sentence_transformers.static import PlainTokenizer
from stage2.utils.errors import BadInputError
from tests.conftest import Stage2, data_flags, tree
from tests.sentence_models import KINDS, LENGTH, make_tokenizer, write_model
from tests.small import TEXTS

LIMIT = LENGTH // 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(KINDS["static"], tmp_path_factory.mktemp("static"))


def test_texts_are_cut_by_the_tokenizer_and_get_no_special_token(folder: Path) -> None:
    model = load_model(folder)
    library = SentenceTransformer(str(folder), device="cpu")
    ours = tokenize(model, TEXTS, [()] * len(TEXTS))
    right = library[0].tokenizer.encode_batch(TEXTS, add_special_tokens=False)
    assert [ids.tolist() for ids in ours.ids] == [encoding.ids for encoding in right]
    assert ours.lengths.max() == LIMIT
    assert model.max_lengths == {"query": LIMIT, "document": LIMIT}
    account = account_of(model, TEXTS, len(TEXTS), "document")
    assert (account.max_length, account.cut) == (LIMIT, sum(len(t.split()) > LIMIT for t in TEXTS))


def test_a_vector_of_an_entity_is_the_mean_of_its_tokens(folder: Path) -> None:
    model, text = load_model(folder), TEXTS[2]
    first, second = text.split()[:2]
    end = len(first) + 1 + len(second)
    found = encode(model, [text], [[(0, end)]], precision="fp32")
    both = encode(model, [f"{first} {second}"], precision="fp32")
    assert np.allclose(found.entity, both.mu, atol=1e-6)


def test_a_text_without_a_token_has_the_vector_that_the_library_gives(tmp_path: Path) -> None:
    # Without a token for what is unknown, other letters than these are nothing.
    tokenizer = Tokenizer(models.BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")]))
    table = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    made = SentenceTransformer(
        modules=[StaticEmbedding(tokenizer, embedding_weights=table)], device="cpu"
    )
    made.save(str(tmp_path / "model"), create_model_card=False)
    plain = PlainTokenizer(tokenizer)
    assert plain.unk_token_id is None
    with pytest.raises(BadInputError, match="its tokenizer gives no token of a text"):
        load_model(tmp_path / "model")
    known = load_model(write_model(KINDS["static"], tmp_path))
    known.tokenizer = plain
    texts = ["ab a", "e", "f"]
    found = encode(known, texts, precision="fp32").mu
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 0, 0], abs=1e-6)
    assert np.linalg.norm(made.encode(texts), axis=1)[1:].tolist() == [0, 0]


def test_a_limit_of_a_call_has_no_place(folder: Path) -> None:
    with pytest.raises(BadInputError, match="--query-max-length 9: the tokenizer of this model"):
        load_model(folder, LoadOptions(max_lengths={"query": 9}))


def test_a_table_that_is_too_short_is_refused(folder: Path, tmp_path: Path) -> None:
    load_model(folder).save(tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    table = load_file(path)["embedding.weight"]
    save_file({"embedding.weight": table[:-3].contiguous()}, path)
    with pytest.raises(BadInputError, match=f"its table of embeddings has {len(table) - 3} rows"):
        load_model(tmp_path / "model")


def test_a_copy_keeps_its_own_limit(folder: Path) -> None:
    tokenizer = make_tokenizer()
    plain = PlainTokenizer(tokenizer)
    twin = copy.deepcopy(plain)
    assert (
        plain(TEXTS[:2], max_length=3)["input_ids"][1] == twin(TEXTS, max_length=3)["input_ids"][1]
    )
    assert tokenizer.truncation is None
    assert len(plain) == max(plain.get_vocab().values()) + 1


def test_a_table_is_trained_for_queries_alone(
    stage2: Stage2, corpus: dict[str, Path], folder: Path, tmp_path: Path
) -> None:
    """Beside a router's two tables, updates of matrices that there are none of are refused."""
    flags = ["run", *data_flags(corpus)[:4], "--model", folder, "--epochs", 1, "--folds", 0,
             "--precision", "fp32", "--learning-rate", 1e-2]  # fmt: skip
    stage2(*flags, "--train", "query")
    out = tmp_path / "out"
    library = SentenceTransformer(str(out / "model"), device="cpu")
    right = encode(load_model(folder), TEXTS, precision="fp32").mu
    assert np.abs(library.encode_document(TEXTS) - right).max() < 1e-5
    assert family_of(out / "model").embedding_dim(out / "model") == 32
    assert "query_0_StaticEmbedding/model.safetensors" in tree(out / "model")
    refused = stage2(*flags, "--lora", 2, "--overwrite", exit_code=2)
    assert "expected a rank that this encoder's matrices can have" in refused.stderr
