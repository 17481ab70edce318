"""Fixtures with run folders for tests of reports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from stage2.utils import files
from tests.comparisons import held_out_comparison
from tests.report.browsers import CHROMIUM
from tests.report.folders import Make, epoch, mining, record


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a run folder. Arguments replace the contents of files; None leaves a file out."""

    def write(name: str = "run", **replaced: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        contents = {
            files.RUN: record(),
            files.MINING_SUMMARY: mining(),
            files.COMPARISON: held_out_comparison(),
            files.TRAINING_LOG: [epoch(0, None, 0.35), epoch(1, 0.1, 0.5), epoch(2, 0.05, 0.625)],
        }
        for file, usual in contents.items():
            content = replaced.get(file.partition(".")[0], usual)
            if content is None:
                continue
            rows = content if file == files.TRAINING_LOG else [content]
            (folder / file).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return folder

    return write


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()
