"""The largest sizes: lines of a file, parameters of a function.

Clippy counts the parameters of Rust functions. Stubs are as short as other files: the one for the
compiled module is a folder beside it, in which the import finds no `__init__.py`.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST_LINES = 500
MOST_PARAMETERS = 8

PYTHON = sorted((ROOT / "python").rglob("*.py"))
FILES = sorted(
    path
    for folder in ("python", "rust", "tests", "benches", "fuzz/fuzz_targets", "fuzz/src")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".pyi", ".rs")
)
assert len(PYTHON) > 100
assert len(FILES) > 300
assert {".py", ".pyi", ".rs"} == {path.suffix for path in FILES}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def parameters(function: Function) -> int:
    """Count the parameters of a function without `self`, `cls`, `*args` and `**kwargs`."""
    arguments = function.args
    parts = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    names = [part.arg for part in parts]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def is_command(function: Function) -> bool:
    """Return whether click calls the function; its parameters are then the flags of a command."""
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


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_long(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= MOST_LINES
