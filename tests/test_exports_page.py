"""The commands and snippets of docs/exports.md run as shown, on a run that has ended."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from stage2.cli.main import program
from stage2.variants import EXPORTS
from tests.conftest import read_jsonl
from tests.test_docs import ROOT, blocks

PAGE = "docs/exports.md"


def test_the_page_runs_from_top_to_bottom(
    finished: Path, corpus: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    shutil.copytree(finished, "stage2-run")
    Path("qa.json").write_text(json.dumps(read_jsonl(corpus["qa"])), "utf-8")
    shutil.copy(corpus["chunks"], "chunks.jsonl")
    commands = [line for block in blocks(PAGE, "console") for line in block.splitlines()]
    assert len(commands) >= 6
    for command in commands:
        words = shlex.split(command.removeprefix("$ stage2 "))
        result = CliRunner().invoke(program, words)
        assert result.exit_code == 0, f"{command}\n{result.output}"
    for snippet in blocks(PAGE, "python"):
        exec(compile(snippet, PAGE, "exec"), {})
    shown = capsys.readouterr().out
    for part in ("['anchor', 'positive', 'negative']", "RR", "embedding", "mrr", "string_view"):
        assert part in shown


def test_every_export_of_a_run_is_on_the_page() -> None:
    text = (ROOT / PAGE).read_text("utf-8")
    for name, export in EXPORTS.items():
        assert export.of == "model" or f"`{name}`" in text or f"--to {name}" in text
