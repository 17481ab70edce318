"""The shipped model is trained on the questions that chose it too, as far as they chose."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import stage2
from stage2.cli.commands import train as train_module
from stage2.config import Settings
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import RankingLists
from stage2.training import cross_validation
from stage2.training.dev_corpus import Dev, LastEpoch
from stage2.training.model_selection import Candidate
from stage2.training.refit import refit
from stage2.training.train import train
from stage2.utils import files
from stage2.utils.tensors import copy_of_weights, read_state_dict
from tests.conftest import Stage2, data_flags, read_jsonl, tree

SETTINGS = Settings(
    epochs=3, batch_size=4, learning_rate=1e-3, schedule="linear", loss="in-batch", precision="fp32"
)


@pytest.mark.parametrize("alpha", [1.0, 0.4])
def test_it_ends_where_the_whole_training_is_after_the_chosen_epoch(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists, tmp_path: Path, alpha: float
) -> None:
    stage1 = copy_of_weights(model)
    train(model, lists, LastEpoch(3), SETTINGS, tmp_path / "whole")
    end = read_state_dict(tmp_path / "whole" / files.CHECKPOINTS / "epoch_2.pt")
    # A training with the schedule of two epochs alone would end elsewhere.
    model.load_state_dict(stage1)
    train(model, lists, LastEpoch(2), replace(SETTINGS, epochs=2), tmp_path / "short")
    assert not all(torch.equal(end[name], value) for name, value in copy_of_weights(model).items())

    chosen = Candidate("epoch 2", "epoch", 2, alpha, 0.5)
    refit(model, stage1, chosen, lists, SETTINGS, tmp_path / "again", None, {})
    for name, value in copy_of_weights(model).items():
        wanted = end[name]
        if wanted.is_floating_point():
            wanted = stage1[name] + alpha * (wanted - stage1[name])
        assert torch.allclose(value, wanted, atol=1e-7), name


def test_it_ends_at_the_chosen_step(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists, tmp_path: Path
) -> None:
    stage1, settings = copy_of_weights(model), replace(SETTINGS, eval_every=4)
    train(model, lists, Dev(lists), settings, tmp_path / "whole")
    end = read_state_dict(tmp_path / "whole" / files.CHECKPOINTS / "step_4.pt")
    chosen = Candidate("step 4 (epoch 1.33)", "epoch", 4 / 3, 1.0, 0.5, step=4)
    refit(model, stage1, chosen, lists, settings, tmp_path / "again", None, {})
    for name, value in copy_of_weights(model).items():
        assert torch.equal(value, end[name]), name
    # With other questions it is the same part of the epochs: 4/3 of two updates are three.
    refit(model, stage1, chosen, lists.subset(range(8)), settings, tmp_path / "few", None, {})
    log = read_jsonl(tmp_path / "few" / files.TRAINING_LOG)
    assert [row["step"] for row in log] == [0, 2, 3]


FLAGS = ["--epochs", 2, "--learning-rate", 1e-3, "--folds", 0, "--precision", "fp32"]


def test_a_run_ships_what_both_sides_have_taught(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    out, data = tmp_path / "out", ["--model", model_dir, *data_flags(corpus)]
    result = stage2("run", *data, *FLAGS)
    split = files.read_json(out / files.SPLIT)
    assert sorted(split["trained_on"]) == sorted([*split["train"], *split["dev"]])
    record = files.read_json(out / files.RUN)
    both = len(split["trained_on"])
    assert record["shipped"]["refit_on"] == record["split"]["trained_on"] == both
    assert record["shipped"]["name"].endswith(", refitted")
    assert f"all {both} questions" in record["shipped"]["reason"]["en"]
    assert "refitted" in result.stderr
    assert f"{both} 个问题" in record["shipped"]["reason"]["zh"]
    assert f"{both} of them trained on" in (out / files.SHIPPED_MODEL / files.CARD).read_text()
    seen = {part["name"]: part["seen_in_training"]
            for part in files.read_json(out / files.COMPARISON)["sets"]}  # fmt: skip
    assert seen == {"test": 0, "dev": len(split["dev"]), "train": len(split["train"]), "all": both}
    assert not (out / files.REFIT).exists()

    stage2("run", *data, *FLAGS, "--no-refit", "--output-dir", tmp_path / "chosen")
    chosen = files.read_json(tmp_path / "chosen" / files.RUN)["shipped"]
    assert f"{chosen['name']}, refitted" == record["shipped"]["name"]
    assert chosen["candidates"] == record["shipped"]["candidates"]
    weights = [(folder / files.SHIPPED_MODEL / "model.safetensors").read_bytes()
               for folder in (out, tmp_path / "chosen")]  # fmt: skip
    assert weights[0] != weights[1]
    best = read_state_dict(out / files.CHECKPOINTS / files.BEST_CHECKPOINT)
    shipped = copy_of_weights(stage2_model(out))
    assert all(torch.equal(best[name], value) for name, value in shipped.items())


def stage2_model(out: Path) -> Encoder:
    return stage2.load_model(out / files.SHIPPED_MODEL)


def test_a_run_that_is_stopped_while_it_refits_goes_on_there(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    data = ["--model", model_dir, *data_flags(corpus)]
    stage2("run", *data, *FLAGS, "--output-dir", tmp_path / "whole")

    def stopped(*arguments: Any) -> None:
        callbacks, epochs = arguments[6], []

        def stop_after_one(entry: Any) -> None:
            epochs.append(entry.epoch)
            if entry.epoch == 1:
                raise KeyboardInterrupt

        refit(*arguments[:6], replace(callbacks, epoch=stop_after_one), *arguments[7:])

    monkeypatch.setattr(train_module, "refit", stopped)
    stage2("run", *data, *FLAGS, exit_code=1)
    state = tmp_path / "out" / files.REFIT / files.CHECKPOINTS / files.TRAINING_STATE
    assert state.is_file()

    # Another training does not meet what this one has left.
    def gone(*_: Any) -> None:
        assert not (tmp_path / "other" / files.REFIT).exists()
        raise KeyboardInterrupt

    shutil.copytree(tmp_path / "out", tmp_path / "other")
    with monkeypatch.context() as other:
        other.setattr(train_module, "train", gone)
        over = [*FLAGS, "--resume", "never", "--learning-rate", 2e-3]
        stage2("run", *data, *over, "--output-dir", tmp_path / "other", exit_code=1)
    monkeypatch.setattr(train_module, "refit", refit)
    stage2("run", *data, *FLAGS)
    expected, found = tree(tmp_path / "whole"), tree(tmp_path / "out")
    assert expected.keys() == found.keys()
    # These files contain times or the folder.
    telling = {files.REPORT, files.PAGE, files.REPORT_JSON, files.RUN, files.SETTINGS,
               files.TRAINING_LOG}  # fmt: skip
    assert {name for name in expected if expected[name] != found[name]} <= telling


def test_nothing_is_refitted_where_nobody_chose(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    data = ["--model", model_dir, *data_flags(corpus)]
    result = stage2("run", *data, *FLAGS, "--split", "none", "--refit", exit_code=2)
    assert "--refit has no effect here: it works with --split chunk" in result.stderr
    stage2("run", *data, *FLAGS, "--split", "none")
    assert files.read_json(tmp_path / "out" / files.RUN)["shipped"]["refit_on"] == 0
    result = stage2("sweep", *data, "--refit", exit_code=2)
    assert "--refit" in result.stderr


def test_a_cross_validated_model_has_the_same_recipe(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    again: list[int] = []

    def counting(*arguments: Any) -> None:
        again.append(len(arguments[3]))
        refit(*arguments)

    monkeypatch.setattr(cross_validation, "refit", counting)
    flags = [*FLAGS[:4], "--folds", 4, "--precision", "fp32"]
    stage2("run", "--model", model_dir, *data_flags(corpus), *flags)
    folds = files.read_json(tmp_path / "out" / files.RUN)["folds"]
    both = [fold["trained_on"] + fold["dev"] for fold in folds if fold["chosen"] != "stage 1"]
    assert again
    assert sorted(again) == sorted(both)
    assert np.sum([fold["test"] for fold in folds]) == 12
