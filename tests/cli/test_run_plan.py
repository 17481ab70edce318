"""The plan of a command in a run folder follows from its settings, its stages and the folder."""

from __future__ import annotations

from pathlib import Path

from stage2.cli.run_plan import run_plan
from stage2.config import Settings
from stage2.utils import files


def test_what_is_read_written_and_replaced(tmp_path: Path) -> None:
    for name in (files.HARD, files.COMPARISON, "mine.txt"):
        (tmp_path / name).touch()
    settings = Settings(qa="qa.json", chunks="chunks.jsonl", dev_data="dev.jsonl")
    plan = run_plan(tmp_path, settings, ["a model"], ["mine"], [files.COMPARISON])
    # A settings file may name what the command does not read.
    assert plan.reads == {"--qa": "qa.json", "--chunks": "chunks.jsonl", "input 1": "a model"}
    assert {files.RUN, files.SETTINGS, files.HARD} <= {*plan.writes}
    assert files.REPORT not in plan.writes
    assert set(plan.replaces) == {files.HARD, files.COMPARISON}


def test_a_run_that_is_evaluated_ends_with_a_report(tmp_path: Path) -> None:
    plan = run_plan(tmp_path / "new", Settings(), (), ["train", "evaluate"])
    assert {files.REPORT, f"{files.SHIPPED_MODEL}/"} <= {*plan.writes}
    assert not plan.replaces
