"""Rows of JSON: their places, and what is no JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2._core import InputError
from stage2.config import InputConfig
from stage2.data.json_rows import Node, parse, read_rows
from stage2.data.table_builder import TableBuilder

VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | st.text('a"\\{[,:é\n', max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('ab"é', max_size=2), inner),
    max_leaves=8,
)


def nodes(node: Node) -> list[Node]:
    inner = [one for _, one in node.members()] if isinstance(node.value, dict) else []
    inner += list(node.elements()) if isinstance(node.value, list) else []
    return [node, *(deep for one in inner for deep in nodes(one))]


@given(value=VALUES, indent=st.none() | st.just(2))
def test_every_value_is_found_where_it_stands(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    for node in nodes(parse("f", f"  {text}\n", 5)):
        error = node.fault("x", "y")
        lines = f"  {text}\n".split("\n")
        rest = "\n".join([lines[error.line - 5][error.column - 1 :], *lines[error.line - 4 :]])
        assert json.JSONDecoder().raw_decode(rest)[0] == node.value


def rows(path: Path, content: bytes, on_error: str = "strict") -> tuple[list[Any], list[Any]]:
    path.write_bytes(content)
    builder, found = TableBuilder(), []
    settings = InputConfig(on_error=on_error)  # type: ignore[arg-type]
    read_rows(path, settings, builder, lambda node: found.append(node.value))
    return found, [(row.line, row.column, row.reason) for row in builder.rejected]


@pytest.mark.parametrize(
    "content", [b'\xef\xbb\xbf{"a": 1}\r\n\n{"a": 2}', b' [{"a": 1},\n{"a": 2} ]\n']
)
def test_lines_and_lists_are_read(tmp_path: Path, content: bytes) -> None:
    assert rows(tmp_path / "x", content) == ([{"a": 1}, {"a": 2}], [])


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (b'{"a": 1', (2, 8, "truncated_json")),
        (b'{"a": }', (2, 7, "invalid_json")),
        (b'{"a": 1} x', (2, 10, "trailing_data")),
        (b'{"a": NaN}', (2, 1, "not_finite")),
        (b'{"a": "\xff"}', (2, 8, "invalid_utf8")),
        (b"[" * 100_000, (2, 1, "too_deep")),
    ],
)
def test_what_is_no_json_is_named_by_its_place(
    tmp_path: Path, line: bytes, place: tuple[int, int, str]
) -> None:
    content = b'{"a": 0}\n' + line + b'\n{"a": 2}\n'
    with pytest.raises(InputError):
        rows(tmp_path / "x", content)
    assert rows(tmp_path / "x", content, "skip") == ([{"a": 0}, {"a": 2}], [place])


def test_a_list_that_does_not_go_on_is_refused(tmp_path: Path) -> None:
    for content, line in ((b'[{"a": 1}\n{"a": 2}]', 2), (b'[{"a": 1}', 1)):
        with pytest.raises(InputError, match="the list does not go on") as caught:
            rows(tmp_path / "x", content)
        assert caught.value.line == line
