"""All public names exist, and none is imported before it is used."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import stage2


def test_every_public_name_is_there() -> None:
    for name in stage2.__all__:
        assert getattr(stage2, name).__name__ == name
    assert set(stage2.__all__) <= set(dir(stage2))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = stage2.nothing


def test_type_checkers_see_what_is_imported_later() -> None:
    tree = ast.parse(Path(stage2.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == stage2._LATER
    assert seen.keys() <= set(stage2.__all__)
