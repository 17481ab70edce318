"""The contents of run folders in which some steps have not run."""

from __future__ import annotations

from pathlib import Path

from stage2.report.run import read_run
from tests.report.folders import Make, record


def test_an_empty_folder_has_nothing(tmp_path: Path) -> None:
    run = read_run(tmp_path)
    assert (run.record, run.mining, run.log, run.comparison) == ({}, {}, [], {})
    assert (run.data, run.shipped, run.shipped_epoch, run.epochs) == ({}, {}, None, [])
    assert run.made_from("train") == {}


def test_stage_1_is_epoch_0_and_has_no_loss(make: Make) -> None:
    run = read_run(make())
    assert [row["epoch"] for row in run.log] == [0, 1, 2]
    assert [row["epoch"] for row in run.epochs] == [1, 2]
    assert run.shipped_epoch == 2
    assert run.made_from("train")["seed"] == 7


def test_a_point_between_two_models_is_no_epoch(make: Make) -> None:
    changed = record()
    changed["shipped"] |= {"kind": "interpolation", "alpha": 0.4}
    assert read_run(make(run=changed)).shipped_epoch is None
