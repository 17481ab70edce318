"""Only `cli/` prints, and it also prints what the library logs."""

from __future__ import annotations

import ast
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

import stage2
from stage2.cli import console

PACKAGE = Path(stage2.__file__).parent
LIBRARY = sorted(
    path.relative_to(PACKAGE).as_posix()
    for path in PACKAGE.rglob("*.py")
    if path.relative_to(PACKAGE).parts[0] not in ("cli", "__main__.py")
)
LOG = logging.getLogger("stage2.models.hub")


def printing(source: str) -> Iterator[str]:
    """Return the names in `source` that write to the terminal."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "print":
                yield "print"
        elif isinstance(node, ast.Import):
            yield from (item.name for item in node.names if item.name in ("click", "tqdm"))
        elif isinstance(node, ast.ImportFrom) and node.module in ("click", "tqdm"):
            yield node.module
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.stdout", "sys.stderr"):
            yield ast.unparse(node)


def test_printing_is_found() -> None:
    source = "import click, os\nfrom tqdm import tqdm\nprint(1)\nsys.stderr.write('')\nx.print(2)"
    assert sorted(printing(source)) == ["click", "print", "sys.stderr", "tqdm"]


@pytest.mark.parametrize("name", LIBRARY)
def test_no_module_below_the_command_line_prints(name: str) -> None:
    assert list(printing((PACKAGE / name).read_text(encoding="utf-8"))) == []


def test_a_log_record_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with console.library_messages(), console.library_messages():
        LOG.debug("not shown")
        LOG.info("taking %s", "a\nb")
        LOG.warning("look at it")
        LOG.error("rank 1: lost")
    shown = capsys.readouterr()
    assert shown.err == "taking a\\nb\nwarning: look at it\nerror: rank 1: lost\n"
    assert not shown.out


def test_logging_is_left_as_it_was() -> None:
    logger = logging.getLogger("stage2")
    before = (list(logger.handlers), logger.level, logger.propagate)
    with console.library_messages():
        assert not logger.propagate
    assert (list(logger.handlers), logger.level, logger.propagate) == before


def test_messages_and_results_go_their_own_ways(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("two\nlines")
    with console.bar("embedding") as update:
        update(1, 2)
        console.say("above")
    console.warn("look \u202eout")
    console.result("the\ntable")
    written = capsys.readouterr()
    assert written.out == "the\ntable\n"
    first, second, third = written.err.splitlines()
    assert (first, second) == ("two\\nlines", "above")
    assert third.startswith("warning: look ")
    assert "\u202e" not in third


def test_no_bar_is_shown_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with console.bar("embedding") as update:
        update(1, 2, 10)
        update(2, 2)
    with console.steps() as told:
        told("epoch 1", 1, 2, 8)
        told("epoch 1", 2, 2, 8)
        told("epoch 2", 1, 2, 8)
    assert capsys.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "terminal", "plain"),
    [
        ({}, True, True),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({}, False, False),
        ({"FORCE_COLOR": "1"}, False, True),
    ],
)
def test_colours_are_for_terminals_unless_variables_say_else(
    variables: dict[str, str], terminal: bool, plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert console.coloured(Terminal() if terminal else io.StringIO()) is plain


def test_the_beginning_of_a_warning_is_coloured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    console.say("plain")
    console.warn("look")
    assert capsys.readouterr().err == "plain\n\x1b[33m\x1b[1mwarning: \x1b[0mlook\n"


def test_a_document_is_printed_once_and_results_stay_in_their_session(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with console.session() as told:
        told.json, told.command = True, "mine"
        console.result("text", number=1)
        with console.session():
            console.result("of a trial", number=2)
        console.end(0)
    printed = capsys.readouterr().out
    first, rest = printed.split("\n", 1)
    assert first == "of a trial"
    assert json.loads(rest)["result"] == {"number": 1}
    with console.session() as told:
        told.json = True
        console.end(2)
    assert not capsys.readouterr().out


def test_a_quiet_session_shows_warnings_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with console.session(console.quiet()) as told:
        console.say("not shown")
        console.warn("shown")
        console.result("not printed", found=3)
        assert not told.bars
        told.progress = True
        assert told.bars
    shown = capsys.readouterr()
    assert shown.err == "warning: shown\n"
    assert not shown.out
    assert told.facts == {"found": 3}


def test_a_session_calls_back() -> None:
    seen: list[object] = []
    called = console.Session(
        on_step=lambda *step: seen.append(step), on_epoch=seen.append, progress=False
    )
    console.epoch({"epoch": 0})
    with console.session(called):
        with console.steps() as told:
            told("epoch 1/1", 1, 2, 8)
        console.epoch({"epoch": 1})
    assert seen == [("epoch 1/1", 1, 2), {"epoch": 1}]
