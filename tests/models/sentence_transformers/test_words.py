"""Models of words: texts as the library reads and embeds them, and what cannot be made right."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import CNN, LSTM, Pooling, WordEmbeddings
from sentence_transformers.sentence_transformer.modules.tokenizer import WhitespaceTokenizer

from stage2.encoding.encode import encode
from stage2.encoding.tokens import collate, tokenize
from stage2.encoding.truncation import account_of
from stage2.models.auto import load_model
from stage2.models.family import LoadOptions
from stage2.models.sentence_transformers.model import SentenceEncoder
from stage2.utils.errors import BadInputError
from tests.conftest import tree
from tests.sentence_models import KINDS, LENGTH, write_model
from tests.small import TEXTS

LIMIT = LENGTH // 2
# The words of these are unknown, stop words, or none at all.
EMPTY = ["xyzzy", "of to", "?!"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(KINDS["words"], tmp_path_factory.mktemp("words"))


def library_of(folder: Path) -> SentenceTransformer:
    return SentenceTransformer(str(folder), device="cpu")


def test_texts_are_read_and_cut_as_by_the_library(folder: Path) -> None:
    model, library = load_model(folder), library_of(folder)
    texts = [*TEXTS, "Captain, (Sailor)? Xyzzy!", *EMPTY]
    ours = tokenize(model, texts, [()] * len(texts))
    right = library[0].preprocess(texts)
    found = [ids[: int(n)].tolist() for ids, n in
             zip(right["input_ids"], right["sentence_lengths"], strict=True)]  # fmt: skip
    assert [ids.tolist() for ids in ours.ids] == found
    assert ours.lengths.max() == LIMIT
    long = account_of(model, ["captain " * 30], 1, "document")
    assert (long.max_length, long.cut, long.lost) == (LIMIT, 1, 30 - LIMIT)
    odd = account_of(model, ["Captain, xyzzy of the sea ?!", "plugh"], 2, "document")
    assert (odd.tokens, odd.unknown) == (5, 2)


@pytest.mark.parametrize("name", [name for name in KINDS if name.startswith("words")])
def test_texts_without_a_known_word(name: str, tmp_path: Path) -> None:
    folder = write_model(KINDS[name], tmp_path)
    model = load_model(folder)
    library = SentenceTransformer(str(folder), device="cpu").float()
    for texts in (EMPTY, [*EMPTY, *TEXTS[1:]]):
        right = library.encode(texts, normalize_embeddings=True)
        found = encode(model, texts, [[(0, 2)]] * len(texts), precision="fp32")
        # The largest value of no word is −∞ in the library.
        same = np.isfinite(right).all(axis=1)
        assert same.sum() == len(texts) - 3 * (KINDS[name].pooling == "max")
        assert np.abs((found.mu - right)[same]).max(initial=0) < 1e-5
        assert np.isfinite(found.mu).all()
        assert not found.has_entity.any()


def test_a_vector_does_not_depend_on_the_texts_beside_it(tmp_path: Path) -> None:
    model = load_model(write_model(KINDS["words, lstm, cnn, half precision"], tmp_path))
    together = encode(model, TEXTS, precision="fp32").mu
    alone = np.concatenate([encode(model, [text], precision="fp32").mu for text in TEXTS])
    assert np.abs(together - alone).max() < 1e-6


def test_what_is_written_does_not_depend_on_the_order_of_a_set(
    folder: Path, tmp_path: Path
) -> None:
    load_model(folder).save(tmp_path / "a")
    stop_words = json.loads((tmp_path / "a/whitespacetokenizer_config.json").read_text())
    assert stop_words["stop_words"] == sorted(stop_words["stop_words"])
    load_model(tmp_path / "a").save(tmp_path / "b")
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def write(folder: Path, *over: torch.nn.Module, pooling: str = "mean", padding: float = 1) -> Path:
    """Write a model of two words, with a vector of padding."""
    table = torch.ones(3, 4)
    table[0] = padding
    words = WordEmbeddings(WhitespaceTokenizer(["pad", "captain", "sea"]), table)
    width = over[-1].get_embedding_dimension()
    made = SentenceTransformer(modules=[words, *over, Pooling(width, pooling)], device="cpu")
    made.save(str(folder), create_model_card=False)
    return folder


def test_a_convolution_of_padding_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "cnn", CNN(4, 2, [3]))
    with pytest.raises(BadInputError, match="reads padding that is not 0, so that the vector"):
        load_model(folder)
    with pytest.raises(BadInputError, match="no CNN right after another"):
        load_model(write(tmp_path / "two", LSTM(4, 2), CNN(4, 2, [3]), CNN(2, 2, [3])))
    with pytest.raises(BadInputError, match=r"kernels of \[2\] with strides of \[1\]"):
        load_model(write(tmp_path / "even", LSTM(4, 2), CNN(4, 2, [2])))
    with pytest.raises(BadInputError, match="pools the first token of WordEmbeddings"):
        load_model(write(tmp_path / "cls", LSTM(4, 2), pooling="cls"))
    # Behind a recurrent module padding is 0.
    folder = write(tmp_path / "lstm", LSTM(4, 2), CNN(4, 2, [3]))
    texts = ["captain", "sea captain sea sea"]
    right = library_of(folder).encode(texts, normalize_embeddings=True)
    assert np.abs(encode(load_model(folder), texts, precision="fp32").mu - right).max() < 1e-5


def test_padding_stays_0_while_the_table_is_trained(tmp_path: Path) -> None:
    model = load_model(write(tmp_path / "model", CNN(4, 2, [3]), padding=0))
    assert isinstance(model, SentenceEncoder)
    texts = ["captain", "sea captain sea sea"]
    before = model.backbone.embedding.weight.detach().clone()
    optimizer = torch.optim.AdamW(model.parameters(), 0.1)
    model(collate(model, tokenize(model, texts, [(), ()]), np.arange(2))).mu[:, 0].sum().backward()
    optimizer.step()
    after = model.backbone.embedding.weight
    assert not after[0].any()
    assert (after[1:] != before[1:]).all()
    model.save(tmp_path / "written")
    right = library_of(tmp_path / "written").encode(texts, normalize_embeddings=True)
    assert np.abs(encode(model.eval(), texts, precision="fp32").mu - right).max() < 1e-5


def test_tokenizers_that_are_not_read_are_named(folder: Path, tmp_path: Path) -> None:
    load_model(folder).save(tmp_path / "model")
    path = tmp_path / "model" / "wordembedding_config.json"
    told = json.loads(path.read_text())
    for name in ("os.system", "sentence_transformers.models.tokenizer.PhraseTokenizer", 3):
        path.write_text(json.dumps(told | {"tokenizer_class": name}))
        with pytest.raises(BadInputError, match=r"tokenizer_class is .*; expected .*Whitespace"):
            load_model(tmp_path / "model")


def test_a_word_without_a_vector_is_refused(folder: Path, tmp_path: Path) -> None:
    load_model(folder).save(tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    table = load_file(path)["emb_layer.weight"]
    save_file({"emb_layer.weight": table[:-1].clone()}, path)
    with pytest.raises(BadInputError, match="expected a row for each word"):
        load_model(tmp_path / "model")


def test_a_limit_of_a_call_has_no_place(folder: Path) -> None:
    with pytest.raises(BadInputError, match="--query-max-length 9: the tokenizer of this model"):
        load_model(folder, LoadOptions(max_lengths={"query": 9}))
