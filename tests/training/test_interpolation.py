"""A part of the way from the weights before training is evaluated and kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import stage2
from stage2.config import Settings
from stage2.encoding.encode import encode
from stage2.encoding.ranking_lists import RankingLists
from stage2.training.dev_corpus import Dev
from stage2.training.interpolation import Kept, interpolate
from stage2.training.parameters import plain_state, trainable
from stage2.training.train import evaluate_dev, train
from stage2.utils import files
from stage2.utils.tensors import copy_of_weights, read_state_dict
from tests.conftest import Stage2, data_flags

SETTINGS = Settings(
    epochs=2, batch_size=4, learning_rate=1e-3, loss="in-batch", precision="fp32", seed=3
)
ALPHA = 0.25


def test_it_lies_between_the_two() -> None:
    start = {"weight": torch.tensor([1.0, 2.0]), "step": torch.tensor([5])}
    end = {"weight": torch.tensor([3.0, 0.0]), "step": torch.tensor([9])}
    found = interpolate(start, end, 0.75)
    assert found["weight"].tolist() == [2.5, 0.5]
    assert found["step"].tolist() == [5]


@pytest.mark.parametrize("lora", [None, 2])
def test_training_takes_the_same_way_and_a_part_of_it_is_kept(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists, tmp_path: Path, lora: int | None
) -> None:
    stage1 = copy_of_weights(model)
    settings = replace(SETTINGS, lora=lora)

    def epochs(alpha: float) -> list[dict[str, Tensor]]:
        model.load_state_dict(stage1)
        folder = tmp_path / f"{alpha}"
        train(model, lists, Dev(lists), replace(settings, interpolation=alpha), folder)
        names = [folder / files.CHECKPOINTS / f"epoch_{epoch}.pt" for epoch in (1, 2)]
        return [read_state_dict(name) for name in names]

    for whole, part in zip(epochs(1.0), epochs(ALPHA), strict=True):
        assert any(not torch.equal(whole[name], stage1[name]) for name in stage1)
        for name, weight in interpolate(stage1, whole, ALPHA).items():
            assert torch.equal(part[name], weight), name


def test_what_is_kept_is_what_dev_questions_ranked(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists, tmp_path: Path
) -> None:
    settings = replace(SETTINGS, interpolation=ALPHA)
    log = train(model, lists, Dev(lists), settings, tmp_path).log
    for entry in log[1:]:
        model.load_state_dict(read_state_dict(tmp_path / files.CHECKPOINTS / entry.file))
        assert evaluate_dev(model, lists, settings) == entry.dev


def test_training_goes_on_from_its_own_weights(model: stage2.ProbabilisticGBERTV4) -> None:
    start = copy_of_weights(model)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(1)
    own, kept = copy_of_weights(model), Kept(start, ALPHA)
    with kept.loaded(model):
        # A state that is saved now is that of the training.
        for name, weight in kept.trained(model).items():
            assert torch.equal(weight, own[name])
        inside = copy_of_weights(model)
    for name, weight in kept.weights(model).items():
        assert torch.equal(weight, inside[name])
        assert torch.allclose(weight, start[name] + ALPHA)
    for name, weight in kept.trained(model).items():
        assert torch.equal(weight, own[name])


def test_low_rank_updates_are_shortened(model: stage2.ProbabilisticGBERTV4) -> None:
    start = copy_of_weights(model)
    with trainable(model, replace(SETTINGS, lora=2)) as parameters:
        with torch.no_grad():
            for weight in parameters:
                weight.add_(0.1)
        kept = Kept(start, ALPHA)
        with kept.loaded(model):
            inside = {name: weight.clone() for name, weight in plain_state(model).items()}
        weights = kept.weights(model)
    for name, weight in weights.items():
        assert torch.allclose(inside[name], weight, atol=1e-6), name


def test_a_run_ships_a_part_of_the_way(
    stage2: Stage2, model_dir: Path, corpus: dict[str, Path], tmp_path: Path
) -> None:
    flags = [*data_flags(corpus), "--model", model_dir, "--epochs", 1, "--learning-rate", 1e-3]
    found = []
    for alpha in (1, 0.5):
        out = tmp_path / f"run-{alpha}"
        stage2("run", *flags, "--folds", 0, "--interpolation", alpha, "--output-dir", out)
        found.append(encode_words(out / files.SHIPPED_MODEL))
    assert not torch.equal(*found)
    assert "--interpolation is 0" in stage2("run", *flags, "--interpolation", 0, exit_code=2).stderr


def encode_words(folder: Path) -> Tensor:
    return torch.from_numpy(encode(stage2.load_model(folder), ["who", "where"]).mu)
