"""The commands and the Python snippets of the READMEs work, and both languages show the same."""

from __future__ import annotations

import html
import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stage2.cli.main import program
from stage2.variants import FORMATS, format_of
from tests.conftest import read_jsonl
from tests.small import write_answered_by_order

ROOT = Path(__file__).resolve().parents[1]
READMES = ["README.md", "README.zh-CN.md"]


def blocks(readme: str, language: str) -> list[str]:
    text = (ROOT / readme).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.fixture
def page_files(
    backbone: Path, corpus: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work in a folder with the files that the pages name."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(backbone, "encoder")
    rows = [json.loads(line) for line in corpus["qa"].read_text(encoding="utf-8").splitlines()]
    Path("qa.json").write_text(json.dumps(rows), encoding="utf-8")
    shutil.copy(corpus["chunks"], "chunks.jsonl")
    shutil.copy(corpus["entities"], "entities.jsonl")
    write_answered_by_order(
        Path("my-data"),
        [row["question"] for row in rows],
        [row["text"] for row in read_jsonl(corpus["chunks"])],
    )


def run_commands(page: str) -> int:
    """Run the commands that a page shows, and return how many they are."""
    commands = [
        line.removeprefix("$ ") for block in blocks(page, "console") for line in block.splitlines()
    ]
    for command in commands:
        name, *words = shlex.split(command)
        assert name == "stage2"
        result = CliRunner().invoke(program, words)
        assert result.exit_code == 0, f"{command}\n{result.output}"
    return len(commands)


@pytest.mark.parametrize("readme", READMES)
@pytest.mark.usefixtures("page_files")
def test_commands_and_snippets_run_as_shown(
    readme: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_commands(readme) >= 3
    snippets = blocks(readme, "python")
    assert snippets
    for snippet in snippets:
        exec(compile(snippet, readme, "exec"), {})
    assert "chance" in capsys.readouterr().out


@pytest.mark.usefixtures("page_files")
def test_one_step_at_a_time_runs_as_shown(capsys: pytest.CaptureFixture[str]) -> None:
    page = "docs/how-to/one-step-at-a-time.md"
    assert run_commands(page) >= 10
    names: dict[str, object] = {}
    for snippet in blocks(page, "python"):
        exec(compile(snippet, page, "exec"), names)
    assert "chance" in capsys.readouterr().out


@pytest.mark.usefixtures("page_files")
def test_commands_of_the_command_line_run_as_shown() -> None:
    assert run_commands("docs/command-line.md") >= 9


@pytest.mark.usefixtures("page_files")
def test_the_snippets_of_python_run_in_their_order(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names: dict[str, object] = {}
    snippets = blocks("docs/python.md", "python")
    assert len(snippets) >= 2
    for snippet in snippets:
        exec(compile(snippet, "python.md", "exec"), names)
    assert "whole corpus" in capsys.readouterr().out


@pytest.mark.usefixtures("page_files")
def test_the_notebook_runs_from_top_to_bottom(
    capsys: pytest.CaptureFixture[str],
) -> None:
    notebook = json.loads((ROOT / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    # A notebook is kept without what it printed on somebody's machine.
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)
    names: dict[str, Any] = {}
    for cell in cells:
        exec(compile("".join(cell["source"]), "notebook.ipynb", "exec"), names)
    assert names["result"].table() in capsys.readouterr().out
    assert "<svg" in html.unescape(names["result"]._repr_html_())


def test_the_examples_of_formats_are_read_and_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks with a file's name are that file; commands and snippets run in the page's order."""
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    used = set()
    for kind, name, block in re.findall(r"```(\w+)(?: (\S+))?\n(.*?)```", page, flags=re.DOTALL):
        if name:
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_text(block, encoding="utf-8")
        elif kind == "python":
            exec(compile(block, "formats.md", "exec"), {})
        for command in block.splitlines() if kind == "console" else []:
            start, *words = shlex.split(command)
            assert start == "$"
            result = CliRunner().invoke(program, words[1:])
            assert result.exit_code == 0, f"{command}\n{result.output}"
            named = words[words.index("--data") + 1] if "--data" in words else words[2]
            used |= {format_of(Path(named), None)}
    unread = {"samples", "tsv", "datasets", "datasetdict"}
    assert used == FORMATS.keys() - unread
    for name in FORMATS:
        assert f"`{name}`" in page


def test_both_languages_show_the_same_commands_and_table() -> None:
    english, chinese = READMES
    for language in ("console", "sh", "text"):
        shown = [
            [re.sub(r"\s+(#.*)?$", "", line) for line in block.splitlines()]
            for block in blocks(english, language)[:1]
        ]
        other = [
            [re.sub(r"\s+(#.*)?$", "", line) for line in block.splitlines()]
            for block in blocks(chinese, language)[:1]
        ]
        assert shown == other


def test_every_command_is_in_the_readme() -> None:
    for readme in READMES:
        text = (ROOT / readme).read_text(encoding="utf-8")
        for name in program.commands:
            assert f"| `stage2 {name}` |" in text


def test_links_lead_to_files() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
