"""Cross-encoders: their loading and their scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from stage2.models.cross_encoder import CrossEncoder, cross_encoder_hash
from stage2.utils.errors import BadInputError
from tests.conftest import Stage2, data_flags, read_jsonl
from tests.model_folders import copied, rewritten, saved
from tests.small import make_cross_encoder


def test_cross_encoder_scores_are_those_of_one_pair_at_a_time(
    cross_encoder: Path, corpus: dict[str, Path]
) -> None:
    scorer = CrossEncoder.load(str(cross_encoder), torch.device("cpu"))
    texts = [row["text"] for row in read_jsonl(corpus["chunks"])]
    questions = [row["question"] for row in read_jsonl(corpus["qa"])]
    pairs = [(questions[i % 12], texts[i]) for i in range(20)]
    pairs[3] = (pairs[3][0], " ".join(texts))
    scores = scorer.score(*map(list, zip(*pairs, strict=True)), precision="fp32")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(cross_encoder)
    for score, pair in zip(scores.tolist(), pairs, strict=True):
        tokens = scorer.tokenizer(*pair, truncation=True, max_length=64, return_tensors="pt")
        with torch.inference_mode():
            expected = model(**tokens).logits.item()
        assert score == pytest.approx(expected, abs=1e-5)
    assert np.ptp(scores) > 0


def test_weights_in_several_files_are_told_apart(cross_encoder: Path, tmp_path: Path) -> None:
    """The path does not show that a model was replaced, so its contents are hashed."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(cross_encoder)
    hashes = []
    for more in (0.0, 0.1):
        with torch.no_grad():
            model.classifier.bias += more
        model.save_pretrained(tmp_path / "model", max_shard_size="20KB")
        assert not (tmp_path / "model" / "model.safetensors").exists()
        hashes.append(cross_encoder_hash(str(tmp_path / "model")))
    assert len(set(hashes)) == 2
    assert [len(digest) for digest in hashes] == [64, 64]
    assert cross_encoder_hash("owner/name") == "owner/name"


def test_what_is_no_cross_encoder_is_refused(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, backbone: Path, tmp_path: Path
) -> None:
    two = make_cross_encoder(backbone, tmp_path / "two", outputs=2)
    for folder, said in [(two, "2 outputs"), (tmp_path / "none", "no such folder")]:
        result = stage2("mine", "--model", model_dir, *data_flags(corpus), "--cross-encoder",
                        folder, exit_code=2)  # fmt: skip
        assert said in result.stderr
        assert not (tmp_path / "out").exists()
    config = json.loads((backbone / "config.json").read_text()) | {"id2label": {"0": "score"}}
    headless = tmp_path / "headless"
    for part in backbone.iterdir():
        headless.mkdir(exist_ok=True)
        (headless / part.name).write_bytes(part.read_bytes())
    (headless / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInputError, match="without a trained head"):
        CrossEncoder.load(str(headless), torch.device("cpu"))


@pytest.fixture(scope="session")
def judge(backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = transformers.AutoConfig.from_pretrained(backbone, num_labels=1)
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification(config)
    return saved(model, tmp_path_factory.mktemp("judge") / "m", backbone)


def test_a_cross_encoder_loads(judge: Path) -> None:
    found = CrossEncoder.load(str(judge), torch.device("cpu"))
    assert found.score(["the count"], ["[MASK] [PAD]"], precision="fp32").shape == (1,)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (
            lambda s: {k: v for k, v in s.items() if "classifier" not in k},
            "a trained head",
        ),
        (
            lambda s: s | {"classifier.weight": s["classifier.weight"] * torch.nan},
            "classifier.weight",
        ),
        (lambda s: {f"x.{k}": v for k, v in s.items()}, "missing bert"),
        (
            lambda s: s | {"classifier.weight": torch.ones(3, 32)},
            "of another shape classifier.weight",
        ),
    ],
)
def test_a_cross_encoder_whose_weights_do_not_fit_is_refused(
    judge: Path, tmp_path: Path, how: Any, said: str
) -> None:
    folder = copied(judge, tmp_path / "m")
    rewritten(folder, how)
    with pytest.raises(BadInputError, match=said):
        CrossEncoder.load(str(folder), torch.device("cpu"))
