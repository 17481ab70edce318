"""The Markdown report of a run folder, section by section."""

from __future__ import annotations

import matplotlib as mpl
import pytest

from stage2.report.render import write_report
from stage2.report.words import CATALOGS
from stage2.utils import files
from tests.report.folders import Make, rows_of, sections


def test_every_table_of_the_reference_report(make: Make) -> None:
    parts = sections(make())
    data = rows_of(parts["Data"])
    assert ["Question–answer pairs", "60"] in data
    assert ["Chunks", "1,231"] in data
    assert ["Texts with entity annotations", "1,463"] in data
    assert ["Rows skipped: unknown\\_chunk", "3"] in data
    assert ["qa", "qa.json, SHA-256 0123456789ab…"] in data
    samples = rows_of(parts["Samples"])
    assert ["Distinct texts encoded", "350"] in samples
    assert ["Split", "by chunk group: train 30, dev 10, test 20 questions"] in samples
    before = rows_of(parts["Before training"])
    assert ["Top-1", "16.7%", "10.0% (6/60)", "5–20%"] in before
    assert ["Top-5", "83.3%", "80.0% (48/60)", "68–88%"] in before
    assert "below chance" in parts["Before training"]
    hard = rows_of(parts["Hard examples"])
    assert ["Hard examples", "55.0% (33/60)"] in hard
    assert ["Questions trained on", "21"] in hard
    settings = rows_of(parts["Training settings"])
    assert ["Learning rate", "1e-05"] in settings
    assert ["Pairs in the loss", "graded"] in settings
    time = rows_of(parts["Time"])
    assert ["Training", "27.0"] in time
    assert ["**Total**", "**40.0**"] in time
    assert ["Device", "cpu, fp32"] in time


@pytest.mark.parametrize("language", CATALOGS)
def test_steps_that_have_not_run_are_named(make: Make, language: str) -> None:
    folder = make(run=None, mining_summary=None, comparison=None, training_log=None)
    report = "".join(sections(folder, language).values())
    for command in ("prepare", "mine", "train", "evaluate", "run"):
        assert f"`stage2 {command}`" in report


def test_the_same_run_gives_the_same_bytes(make: Make) -> None:
    names = (files.REPORT, files.PAGE, files.REPORT_JSON, *files.CHARTS)
    first, second = make("first"), make("second")
    write_report(first)
    with mpl.rc_context({"axes.grid": True, "font.size": 30}):
        write_report(second)
    written = {name: (first / name).read_bytes() for name in names}
    assert {name: (second / name).read_bytes() for name in names} == written
    write_report(first)
    assert {name: (first / name).read_bytes() for name in names} == written
    assert {path.name for path in first.iterdir()} == {
        files.RUN, files.MINING_SUMMARY, files.COMPARISON, files.TRAINING_LOG, *names
    }  # fmt: skip


def test_chinese_report_is_chinese(make: Make) -> None:
    parts = sections(make(), "zh")
    assert "20 个问题" in parts[""]
    assert "10.0% (2/20) → 60.0% (12/20)" in parts[""]
    assert ["文本块", "1,231"] in rows_of(parts["数据"])
    assert "交付的模型：第 2 轮" in parts["各轮损失"]
