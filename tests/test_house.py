"""Every module has a test, which stands in the right place."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE, TESTS = ROOT / "python" / "stage2", ROOT / "tests"

# The modules without a test of their own name, and the reasons.
WITHOUT_A_TEST = {
    "config/mining.py": "settings alone: tests/test_config.py goes through all of them",
    "config/model.py": "settings alone: tests/test_config.py goes through all of them",
    "config/systems.py": "settings alone: tests/test_config.py goes through all of them",
    "config/training.py": "settings alone: tests/test_config.py goes through all of them",
    "__main__.py": "one call of the program: tests/cli/test_shell.py starts it in every test",
    "data/contents.py": "a type alone: mypy checks what is given for it",
    "report/page_words.py": "words alone: tests/report/test_words.py compares the languages",
    "report/words_en.py": "words alone: tests/report/test_words.py compares the languages",
    "report/words_zh.py": "words alone: tests/report/test_words.py compares the languages",
    "utils/progress.py": "a type alone: mypy checks what is given for it",
}


def modules() -> dict[str, Path]:
    """Return every module by its path, with the path of its tests.

    A package counts as a module if its `__init__.py` defines something.
    """
    found = {}
    for path in SOURCE.rglob("*.py"):
        name = path.relative_to(SOURCE)
        if path.name == "__init__.py":
            body = ast.parse(path.read_text("utf-8")).body
            if not any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in body):
                continue
            room, tests = name.parent.parent, f"test_{path.parent.name}.py"
        else:
            room, tests = name.parent, f"test_{name.name}"
        found[name.as_posix()] = TESTS / room / tests
    return found


def test_every_module_has_a_test() -> None:
    """The tests of `room/file.py` stand in `tests/room/test_file.py`."""
    found = modules()
    missing = {name for name, place in found.items() if not place.is_file()}
    assert missing == WITHOUT_A_TEST.keys(), "a module without a test, or an exception too many"
    empty = [name for name in found.keys() - missing if "def test_" not in found[name].read_text()]
    assert not empty
    assert len(WITHOUT_A_TEST) <= 10
    assert all(WITHOUT_A_TEST.values())
