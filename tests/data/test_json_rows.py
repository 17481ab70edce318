"""Rows of JSON: their places, and what is no JSON."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2._core import InputError
from stage2.config import InputConfig
from stage2.data.json_rows import Node, parse, read_rows
from stage2.data.table_builder import TableBuilder
from tests.memory import run_measured

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


def zstandard(content: bytes) -> bytes:
    codec = pyarrow.Codec("zstd")
    return bytes(codec.compress(content))


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


LINES = st.lists(
    st.sampled_from([
        '{"a": 1}', "", " ", '{"b": "é\U0001f600"}\r', '{"a": 1', '{"a": }', '{"a": 1} x', "[",
    ])
)  # fmt: skip


@given(lines=LINES, mark=st.sampled_from(["", "\ufeff"]), first=st.sampled_from(["{}", "1"]))
def test_lines_that_are_read_one_by_one_are_those_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], mark: str, first: str
) -> None:
    """Compared with the whole file, cut at its ends of lines."""
    path = tmp_path_factory.mktemp("rows") / "x"
    content = mark + "\n".join([first, *lines])
    good: list[Any] = []
    places = []
    for number, line in enumerate(content.removeprefix(mark).split("\n"), 1):
        if not line.strip():
            continue
        try:
            good.append(parse("x", line, number).value)
        except InputError as error:
            places.append((error.line, error.column, error.reason))
    for suffix, packed in (("", bytes), (".gz", gzip.compress)):
        name = path.with_suffix(suffix)
        assert rows(name, packed(content.encode()), "skip") == (good, places)


_MEASURED = """
import sys
from pathlib import Path
from stage2.config import InputConfig
from stage2.data.formats.flagembedding import tables
begin()
found = tables(InputConfig(max_decompressed="1GB"), Path(sys.argv[1]))
end()
assert len(found.questions) == 300
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by /proc")
@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_a_line_and_no_file_is_in_memory(tmp_path: Path, suffix: str) -> None:
    junk = "what no table takes " * 8000
    lines = [
        json.dumps({"query": f"question {i}", "pos": ["text"], "junk": junk}) for i in range(300)
    ]
    content = "".join(f"{line}\n" for line in lines).encode()
    assert len(content) > 45 << 20
    path = tmp_path / f"large.jsonl{suffix}"
    packed = {"": bytes, ".gz": lambda text: gzip.compress(text, 1), ".zst": zstandard}[suffix]
    path.write_bytes(packed(content))
    assert run_measured(_MEASURED, path) < 16 << 20


def test_what_is_too_much_or_damaged_is_told_after_the_rows_before_it(tmp_path: Path) -> None:
    content = b"".join(b'{"a": "%06d"}\n' % i for i in range(300_000))
    path = tmp_path / "x.gz"
    builder, found = TableBuilder(), []
    for packed, limit, said in (
        (gzip.compress(content, 1), "3MB", "x.gz:1:1: the gzip data holds more than 3.0 MB"),
        (gzip.compress(content, 1)[:-9], None, "the gzip data is cut off or damaged after"),
    ):
        path.write_bytes(packed)
        settings = InputConfig(max_decompressed=limit, on_error="skip")
        with pytest.raises(InputError, match=said):
            read_rows(path, settings, builder, lambda node: found.append(node.value))
        assert found
    assert len(rows(path, gzip.compress(content, 1))[0]) == 300_000
