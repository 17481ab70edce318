"""A run folder, whichever command made it, is read as a result."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from stage2 import BadInputError, Result, SweepResult
from stage2.report.terminal import table
from tests.small import write_jsonl


def read(path: Path) -> dict[str, object]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def test_a_finished_run_tells_all(finished: Path) -> None:
    result = Result.read(finished)
    comparison = read(finished / "comparison.json")
    assert result.table() == table(comparison)
    assert result.table("zh") == table(comparison, "zh")
    assert result.verdict == comparison["verdict"]["word"]
    for part in comparison["sets"]:
        for side in ("before", "after"):
            assert result.metrics[part["name"]][part["source"]][side] == part[side]
    assert result.mining == read(finished / "mining_summary.json")
    assert [row["epoch"] for row in result.log] == [0, 1]
    assert result.shipped == read(finished / "run.json")["shipped"]
    assert result.model == finished / "model"
    assert result.folder == finished
    assert repr(result) == f"Result({str(finished)!r}, verdict={result.verdict!r})"
    assert result._repr_html_().startswith("<iframe")


def test_the_report_is_of_the_folder_as_it_is(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    (folder / "report.html").unlink()
    result = Result.read(folder)
    assert result.report() == folder / "report.html"
    assert '<html lang="en">' in (folder / "report.html").read_text(encoding="utf-8")
    result.report("zh")
    assert '<html lang="zh-CN">' in (folder / "report.html").read_text(encoding="utf-8")
    shown = capsys.readouterr()
    assert not shown.out
    assert not shown.err


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no run there; expected a folder of stage2"):
        Result.read(tmp_path)


def outcome(name: str, mrr: float | None, **more: Any) -> dict[str, Any]:
    """Return a row of `sweep.jsonl`."""
    dev = None if mrr is None else {"mrr": mrr, "top1": 0.5}
    status = "failed" if mrr is None else "done"
    return {"trial": name, "folder": f"trials/{name}", "changes": {"epochs": 2}, "status": status,
            "dev": dev, **more}  # fmt: skip


def sweep_folder(folder: Path, rows: list[dict[str, Any]]) -> Path:
    (folder / "run.json").write_text("{}")
    write_jsonl(folder / "sweep.jsonl", rows)
    return folder


def test_a_sweep_has_the_best_trial_first(tmp_path: Path) -> None:
    rows = [outcome("a", None, error="too large"), outcome("b", 0.25), outcome("c", 0.5)]
    folder = sweep_folder(tmp_path, rows)
    (folder / "winner.toml").write_text("epochs = 2\nlearning_rate = 0.001\n")
    found = SweepResult.read(folder)
    assert [row["trial"] for row in found.trials] == ["c", "b", "a"]
    assert found.winner == "c"
    assert (found.settings.epochs, found.settings.learning_rate) == (2, 0.001)
    assert [line.split()[0] for line in found.table().splitlines()[1:]] == ["c", "b", "a"]
    assert found.table("zh").startswith("试验")
    assert repr(found) == f"SweepResult({str(tmp_path)!r}, winner='c')"
    with pytest.raises(BadInputError, match="no run there"):
        found.test  # noqa: B018


def test_trials_of_rungs_stand_as_they_were_ranked(tmp_path: Path) -> None:
    rows = [outcome("a", 0.25, rung=2, questions=9), outcome("b", 0.5, rung=1, questions=3)]
    found = SweepResult.read(sweep_folder(tmp_path, rows))
    assert [row["trial"] for row in found.trials] == ["a", "b"]
    assert found.winner == "a"


def test_a_sweep_without_a_winner_says_so(tmp_path: Path) -> None:
    found = SweepResult.read(sweep_folder(tmp_path, [outcome("a", None)]))
    assert found.winner is None
    with pytest.raises(BadInputError, match="every trial failed"):
        found.settings  # noqa: B018
    write_jsonl(tmp_path / "sweep.jsonl", [{"trial": "a", "colour": 1}])
    with pytest.raises(BadInputError, match="a row is none of a sweep"):
        SweepResult.read(tmp_path)
    (tmp_path / "sweep.jsonl").unlink()
    with pytest.raises(BadInputError, match="no sweep there"):
        SweepResult.read(tmp_path)
