"""Columns of texts of Parquet files are what pyarrow reads."""

from __future__ import annotations

import io
import random
import tempfile
from pathlib import Path
from typing import Any

import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stage2._core import ParquetFile

TEXTS = st.sampled_from(["", " ", "\u3000\n", "a", "日本", "a\x00", "long " * 9]) | st.text()
CODECS = ("none", "snappy", "gzip", "zstd")


@st.composite
def written(draw: st.DrawFn) -> tuple[Any, dict[str, Any]]:
    """Draw a table, and how it is to be written."""
    few, rows = draw(st.booleans()), draw(st.integers(0, 40))
    columns = {}
    for name in "abc"[: draw(st.integers(1, 3))]:
        texts = st.sampled_from(draw(st.lists(TEXTS, min_size=1, max_size=4))) if few else TEXTS
        nullable = draw(st.booleans())
        cells = draw(
            st.lists(texts | st.none() if nullable else texts, min_size=rows, max_size=rows)
        )
        kind = draw(st.sampled_from([pa.string(), pa.large_string(), pa.string_view()]))
        field = pa.field(name, kind, nullable=nullable)
        columns[field] = pa.array(cells, kind)
    options = {
        "row_group_size": draw(st.integers(1, 45)),
        "data_page_size": draw(st.sampled_from([1, 50, 1 << 20])),
        "write_batch_size": draw(st.integers(1, 45)),
        "data_page_version": draw(st.sampled_from(["1.0", "2.0"])),
        "compression": draw(st.sampled_from(CODECS)),
        "use_dictionary": draw(st.booleans()),
        "dictionary_pagesize_limit": draw(st.sampled_from([10, 1 << 20])),
        "write_statistics": draw(st.booleans()),
    }
    return pa.table([*columns.values()], schema=pa.schema([*columns])), options


def as_file(table: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def opened(content: bytes) -> ParquetFile | None:
    """Open a file with some content. It can be read after it was deleted."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.parquet"
        path.write_bytes(content)
        return ParquetFile.open(path)


def cells_of(file: ParquetFile, names: list[str]) -> list[str | None]:
    read = file.read(names)
    assert read is not None
    texts, null, not_utf8, blank = read
    assert not len(not_utf8)
    cells: list[str | None] = list(texts)
    assert blank.tolist() == [
        row for row, text in enumerate(cells) if not (text or "").strip() and row not in null
    ]
    for row in null:
        assert cells[row] == ""
        cells[row] = None
    return cells


@given(written())
@example((pa.table({"a": pa.array([None, None], pa.string())}), {"data_page_version": "2.0"}))
def test_texts_are_what_pyarrow_reads(case: tuple[Any, dict[str, Any]]) -> None:
    table, options = case
    content = as_file(table, **options)
    file = opened(content)
    assert file is not None
    expected = pq.read_table(io.BytesIO(content))
    assert (file.num_rows, file.names) == (expected.num_rows, expected.column_names)
    assert all(map(file.is_text, file.names))
    for name in file.names:
        assert cells_of(file, [name]) == expected[name].to_pylist()
    whole = [cell for name in file.names for cell in expected[name].to_pylist()]
    assert cells_of(file, file.names) == whole


@pytest.mark.parametrize("compression", ["uncompressed", "snappy", "gzip", "zstd"])
def test_what_polars_writes_is_read(tmp_path: Path, compression: Any) -> None:
    texts = [None if i % 7 == 0 else f"text {i % 300} " * (i % 9) for i in range(5000)]
    frame = polars.DataFrame({"a": texts, "b": range(5000), "c": texts[::-1]})
    path = tmp_path / "x.parquet"
    frame.write_parquet(path, compression=compression, row_group_size=700)
    file = ParquetFile.open(path)
    assert file is not None
    assert [name for name in file.names if file.is_text(name)] == ["a", "c"]
    assert cells_of(file, ["c", "a"]) == texts[::-1] + texts


def test_many_pages_are_in_order_on_all_threads() -> None:
    texts = [f"text {i} of some length, which repeats itself {i % 97}" for i in range(50_000)]
    table = pa.table({"a": texts, "b": [f"q{i}" for i in range(50_000)]})
    content = as_file(table, data_page_size=5000, row_group_size=17_000)
    file = opened(content)
    assert file is not None
    assert cells_of(file, ["a"]) == texts
    assert cells_of(file, ["b"]) == table["b"].to_pylist()


def test_what_is_no_utf8_has_no_text() -> None:
    raw = pa.array([b"a", b"\xff", None, b"\xc3", b" "], pa.binary()).cast(pa.string(), safe=False)
    for options in ({}, {"use_dictionary": False}):
        file = opened(as_file(pa.table({"a": raw}), **options))
        assert file is not None
        read = file.read(["a"])
        assert read is not None
        texts, *rows = read
        assert [one.tolist() for one in rows] == [[2], [1, 3], [4]]
        assert list(texts) == ["a", "", "", "", " "]


def test_other_columns_and_other_codecs_are_not_read() -> None:
    table = pa.table({
        "lists": [["a"], ["b", "c"]],
        "numbers": [1, 2],
        "bytes": pa.array([b"a", b"b"], pa.binary()),
        "struct": [{"x": "a", "y": "b"}, {"x": "c", "y": "d"}],
        "texts": ["a", "b"],
    })  # fmt: skip
    file = opened(as_file(table))
    assert file is not None
    assert file.names == table.column_names
    assert [name for name in file.names if file.is_text(name)] == ["texts"]
    assert cells_of(file, ["texts"]) == ["a", "b"]
    assert file.read(["texts", "numbers"]) is None
    assert file.read(["none"]) is None
    texts = table.select(["texts"])
    for options in (
        {"compression": "brotli"},
        {"use_dictionary": False, "column_encoding": {"texts": "DELTA_BYTE_ARRAY"}},
    ):
        other = opened(as_file(texts, **options))
        assert other is not None
        assert not other.is_text("texts")
    twice = opened(as_file(pa.table([["a"], ["b"]], names=["x", "x"])))
    assert twice is not None
    assert not twice.is_text("x")


def test_a_file_that_is_none_is_not_opened(tmp_path: Path) -> None:
    assert ParquetFile.open(tmp_path / "none") is None
    assert ParquetFile.open(tmp_path) is None
    assert opened(b"") is None
    assert opened(b"PAR1PAR1PAR1") is None


@pytest.mark.parametrize("compression", CODECS)
def test_damage_never_ends_in_a_panic(compression: str) -> None:
    table = pa.table({"a": [f"text {i} {i % 3}" for i in range(40)], "b": [None, "x"] * 20})
    content = as_file(table, compression=compression, data_page_size=100, row_group_size=25)
    for length in range(len(content)):
        assert opened(content[:length]) is None
    draw = random.Random(1)
    for _ in range(2000):
        damaged = bytearray(content)
        for _ in range(draw.randint(1, 3)):
            damaged[draw.randrange(len(damaged))] = draw.choice(
                [0, 1, 127, 128, 255, draw.randrange(256)]
            )
        file = opened(bytes(damaged))
        if file is not None and file.num_rows < 10_000:
            for name in filter(file.is_text, file.names):
                if (read := file.read([name])) is not None:
                    assert len(list(read[0])) == file.num_rows
