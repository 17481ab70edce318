"""The sizes that code keeps to: lines of a file, parameters of a function.

Parameters of Rust functions are counted by clippy. A stub is no code: it describes one module, and
cannot be parted.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST_LINES = 500
MOST_PARAMETERS = 8

PYTHON = sorted((ROOT / "python").rglob("*.py"))
RUST = sorted((ROOT / "rust").rglob("*.rs"))
assert len(PYTHON) > 100
assert len(RUST) > 50

Function = ast.FunctionDef | ast.AsyncFunctionDef


def parameters(function: Function) -> int:
    """How many things a caller may give: `self`, `*args` and `**kwargs` do not count."""
    given = function.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def is_command(function: Function) -> bool:
    """Whether it is one of click's, whose parameters are the flags of a command."""
    decorators = map(ast.unparse, function.decorator_list)
    return any(text.startswith(("click.", "command(", "program.", "cache.")) for text in decorators)


def too_many(source: str) -> list[str]:
    return [
        f"line {node.lineno}: {node.name} has {parameters(node)} parameters"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, Function)
        and parameters(node) > MOST_PARAMETERS
        and not is_command(node)
    ]


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_function_has_many_parameters(path: Path) -> None:
    assert too_many(path.read_text("utf-8")) == []


def test_many_parameters_are_seen() -> None:
    nine = "a, b, c, d, /, e, f, *, g, h, i"
    assert too_many(f"class C:\n    async def f(self, {nine}): ...") == [
        "line 2: f has 9 parameters"
    ]
    assert too_many(f"def f({nine}): ...") == ["line 1: f has 9 parameters"]
    assert too_many("def f(a, b, c, d, e, f, g, h, *more, **others): ...") == []
    assert too_many(f"@click.command()\ndef f({nine}): ...") == []


@pytest.mark.parametrize("path", [*PYTHON, *RUST], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_long(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= MOST_LINES
