"""A run folder, whichever command made it, is read as a result."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from stage2 import BadInputError, Result
from stage2.report.terminal import table


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
