"""The contents of run folders in which some steps have not run."""

from __future__ import annotations

from pathlib import Path

from stage2.report.run import Round, read_run
from stage2.utils import files
from tests.report.folders import Make, epoch, in_rounds, record


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


def test_rounds_are_read_from_the_log_and_their_files(make: Make) -> None:
    assert read_run(make()).rounds == []
    folder = in_rounds(make("rounds"))
    assert read_run(folder).rounds == [Round(2, 1, 2, 3)]
    (folder / files.ROUNDS / files.round_file(2)).unlink()
    assert read_run(folder).rounds == [Round(2, 1, 2, None)]


def test_a_round_whose_first_row_is_a_step_begins_before_its_epoch(make: Make) -> None:
    log = [epoch(number, 0.1 if number else None, 0.5) for number in range(4)]
    for row, at, number in zip(log, (0, 1, 1.5, 2), (1, 1, 2, 2), strict=True):
        row |= {"epoch": at, "round": number, "new_negatives": 4}
    assert read_run(make(training_log=log)).rounds == [Round(2, 1, 4, None)]
