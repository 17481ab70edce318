"""Stage-1 models that are fitted whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import stage2
from stage2.encoding.encoder import Encoder
from stage2.encoding.tokens import Role
from stage2.models.fit_model import _directions, fit_model
from stage2.models.gbert.model import ProbabilisticGBERTV4
from stage2.models.init_model import init_model
from tests.conftest import Stage2, data_flags
from tests.models.test_init_model import OPTIONS, TEXTS, agreement


def fitted(backbone: Path, steps: int, seed: int = 0) -> ProbabilisticGBERTV4:
    model = init_model(str(backbone), TEXTS[:40], **OPTIONS | {"embedding_dim": 4})
    fit_model(model, str(backbone), TEXTS[:40], steps=steps, seed=seed)
    return model


def test_new_texts_come_to_be_ranked_as_the_encoder_ranks_them(
    backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The heads are random here, and have far to go.
    monkeypatch.setattr("stage2.models.fit_model.LEARNING_RATE", 1e-3)
    own = stage2.load_model(backbone)
    model = init_model(str(backbone), [], fit=False, **OPTIONS)
    assert agreement(model, own) < 0.8
    fit_model(model, str(backbone), TEXTS[:40], steps=60, seed=0)
    assert agreement(model, own) > 0.95


def test_equal_seeds_give_equal_weights(backbone: Path) -> None:
    first, second, other = (fitted(backbone, 3, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert any(not torch.equal(tensor, other[name]) for name, tensor in first.items())


def test_as_many_texts_are_read_as_the_steps_compare(
    backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def directions(own: Encoder, texts: Sequence[str], role: Role, progress: Any) -> torch.Tensor:
        read.append(len(texts))
        return _directions(own, texts, role, progress)

    monkeypatch.setattr("stage2.models.fit_model._directions", directions)
    monkeypatch.setattr("stage2.models.fit_model.CHUNKS", 4)
    model = init_model(str(backbone), TEXTS, **OPTIONS)
    fit_model(model, str(backbone), TEXTS, steps=2, seed=0)
    short, chunks = read
    assert chunks == 8 < len(TEXTS)
    # Three sentences of each are compared, and at most so many parts of these.
    assert chunks <= short <= 2 * 3 * chunks


def test_dropout_is_as_it_was_and_the_model_is_not_in_training(backbone: Path) -> None:
    def shares(model: ProbabilisticGBERTV4) -> list[float]:
        return [part.p for part in model.modules() if isinstance(part, torch.nn.Dropout)]

    model = fitted(backbone, 1)
    assert shares(model) == shares(fitted(backbone, 0))
    assert max(shares(model)) > 0
    assert not model.training


def test_init_fits_the_encoder_too(
    stage2: Stage2, backbone: Path, corpus: dict[str, Path], tmp_path: Path
) -> None:
    flags = ("--chunks", corpus["chunks"], "--backbone", backbone, "--embedding-dim", 8)
    folders = {steps: tmp_path / f"steps-{steps}" for steps in (0, 2)}
    for steps, folder in folders.items():
        stage2("init", *flags, "--fit-steps", steps, "--output-dir", folder)
    models = [load(folder) for folder in folders.values()]
    weights = [model.backbone.state_dict() for model in models]
    assert any(not torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


def load(folder: Path) -> ProbabilisticGBERTV4:
    model = stage2.load_model(folder)
    assert isinstance(model, ProbabilisticGBERTV4)
    return model


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--no-fit"], "with --fit"),
        (["--fit-steps", "-1"], "--fit-steps is -1"),
        ([], "with --init"),
    ],
)
def test_steps_that_would_do_nothing_are_refused(
    stage2: Stage2, model_dir: Path, corpus: dict[str, Path], flags: list[str], message: str
) -> None:
    start = ["mine", *data_flags(corpus)]
    made = ["--init"] if flags else ["--model", model_dir]
    result = stage2(*start, *made, "--fit-steps", 3, *flags, exit_code=2)
    assert message in result.stderr
