"""`stage2 report`: the report of a folder that holds a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from stage2.utils import files
from tests.conftest import Stage2, data_flags, tree


def test_a_folder_without_a_run_has_no_report(stage2: Stage2, tmp_path: Path) -> None:
    refused = stage2("report", exit_code=2)
    assert "no run there; make one with stage2 run" in refused.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("language", "title"), [("en", "Data"), ("zh", "数据")])
def test_it_adds_to_what_is_there(
    language: str, title: str, stage2: Stage2, corpus: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    stage2("prepare", *data_flags(corpus))
    before = tree(out)
    done = stage2("report", "--language", language)
    assert f"report: {out / files.REPORT}" in done.stderr
    assert f"## {title}" in (out / files.REPORT).read_text(encoding="utf-8")
    after = tree(out)
    assert after.keys() - before.keys() == {files.REPORT, files.PAGE, files.REPORT_JSON}
    changed = {name for name in before if after[name] != before[name]}
    assert changed <= {files.RUN, files.SETTINGS}
