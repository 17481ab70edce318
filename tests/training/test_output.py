"""The files that a training writes."""

from __future__ import annotations

from pathlib import Path

import torch

import stage2
from stage2.training.log import EpochLog
from stage2.training.output import Output, bring_best, drop_earlier, drop_weights, write_models
from stage2.utils import files
from tests.conftest import tree


def row(epoch: float, step: int, mrr: float, sha256: str | None = None) -> EpochLog:
    return EpochLog(epoch, None, 0.0, 0.0, {"mrr": mrr}, 8, weights_sha256=sha256, step=step)


def test_the_last_files_and_the_best_are_kept(tmp_path: Path) -> None:
    log = [row(0, 0, 0.1), row(0.5, 2, 0.9), row(1, 4, 0.2), row(1.5, 6, 0.3), row(2, 8, 0.4)]
    output = Output(tmp_path, log, {})
    output.checkpoints.mkdir()
    for entry in log[1:]:
        (output.checkpoints / entry.file).touch()
    output.drop_old(None)
    assert len(tree(tmp_path)) == 4
    output.drop_old(1)
    assert {path.name for path in output.checkpoints.iterdir()} == {"step_2.pt", "epoch_2.pt"}
    drop_earlier(output.checkpoints)
    assert not tree(tmp_path)


def test_the_best_so_far_is_written_again(
    model: stage2.ProbabilisticGBERTV4, tmp_path: Path
) -> None:
    model.save_weights(tmp_path / files.BEST_CHECKPOINT)  # of an evaluation after the state
    stage1 = (tmp_path / files.BEST_CHECKPOINT).read_bytes()
    state = {name: tensor + 1 for name, tensor in model.state_dict().items()}
    log = [row(0, 0, 0.1), row(0.5, 2, 0.9, model.save_weights(tmp_path / "step_2.pt", state))]
    bring_best(model, log, tmp_path, tmp_path)
    moved = (tmp_path / files.BEST_CHECKPOINT).read_bytes()
    assert moved == (tmp_path / "step_2.pt").read_bytes() != stage1
    bring_best(model, log[:1], tmp_path, tmp_path)
    assert (tmp_path / files.BEST_CHECKPOINT).read_bytes() == stage1


def test_what_is_kept_is_written_in_the_layout_that_came_in(backbone: Path, tmp_path: Path) -> None:
    model = stage2.load_model(backbone)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    log = [row(0, 0, 0.1)]
    for number, epoch in enumerate((0.5, 1), start=1):
        state = {name: tensor * (1 + number) for name, tensor in before.items()}
        sha256 = model.save_weights(tmp_path / row(epoch, number, 0.2).file, state)
        log.append(row(epoch, number, 0.2, sha256))
    log.append(row(1.5, 3, 0.3))  # it was not kept
    weights = {path.name for path in tmp_path.iterdir()}
    write_models(model, log, tmp_path)
    folders = {"step_1", "epoch_1"}
    assert {path.name for path in tmp_path.iterdir()} == weights | folders
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
        for factor, folder in ((2, "step_1"), (3, "epoch_1")):
            kept = stage2.load_model(tmp_path / folder).state_dict()[name]
            assert torch.equal(kept, tensor * factor)
    drop_weights(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == folders
    drop_earlier(tmp_path)
    assert not tree(tmp_path)


def test_the_reference_keeps_its_files(model: stage2.ProbabilisticGBERTV4, tmp_path: Path) -> None:
    log = [row(0, 0, 0.1), row(1, 2, 0.9, model.save_weights(tmp_path / "epoch_1.pt"))]
    write_models(model, log, tmp_path)
    drop_weights(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_1.pt"]
