"""Cells that the core reads from Parquet files, and tables made of them."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stage2._core import InputError, ParquetFile
from stage2.data.column_roles import roles_of
from stage2.data.formats import parquet
from stage2.data.parquet_cells import cells_of
from stage2.data.tables import Tables
from stage2.utils.errors import BadInputError
from tests.data.test_arrow_tables import tables_in_memory
from tests.formats import questions_of, read_file


@contextmanager
def pyarrow_alone() -> Iterator[None]:
    """Leave all to pyarrow."""

    class Closed:
        @staticmethod
        def open(_: Path) -> None:
            return None

    with patch.object(parquet, "ParquetFile", Closed):
        yield


def plain(found: Tables) -> Any:
    """Return all that was read."""
    return (
        questions_of(found),
        found.chunks(),
        list(found.question_ids),
        found.titles is None,
        found.answers is None,
        found.made_ids,
        found.notes,
        found.unused,
        found.rejected,
    )


def outcome(path: Path, on_error: str) -> Any:
    try:
        return plain(read_file(path, on_error=on_error))
    except (InputError, BadInputError, MemoryError) as error:
        return type(error), str(error)


def outcomes(path: Path, on_error: str) -> tuple[Any, Any]:
    """Return what is read with the core, and without."""
    with pyarrow_alone():
        expected = outcome(path, on_error)
    return outcome(path, on_error), expected


@settings(max_examples=150)
@given(
    rows=tables_in_memory(),
    on_error=st.sampled_from(["strict", "skip"]),
    use_dictionary=st.booleans(),
)
def test_tables_are_the_same_without_the_core(
    rows: list[dict[str, Any]], on_error: str, use_dictionary: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.parquet"
        table = pa.Table.from_pylist(rows)
        pq.write_table(table, path, row_group_size=2, use_dictionary=use_dictionary)
        found, expected = outcomes(path, on_error)
    assert found == expected


@settings(max_examples=100)
@given(
    ids=st.lists(
        st.tuples(
            st.sampled_from(["1", "2", "3", "", None]),
            st.sampled_from(["a", "b", "a ", None]),
            st.sampled_from(["x", "y", "z", "", None]),
            st.sampled_from(["c", "d", "c ", "\ufeff", None]),
            st.sampled_from(["", "t", None]),
            st.sampled_from(["", " ", "yes", None]),
        ),
        max_size=8,
    ),
    with_ids=st.sampled_from([(True, True), (True, False), (False, True)]),
    on_error=st.sampled_from(["strict", "skip"]),
)
def test_ids_that_repeat_or_are_missing_make_no_difference(
    ids: list[tuple[Any, ...]], with_ids: tuple[bool, bool], on_error: str
) -> None:
    names = ["question_id", "question", "chunk_id", "text", "title", "answer"]
    schema = pa.schema([(name, pa.string()) for name in names])
    table = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in ids], schema)
    without = [
        name for name, there in zip(("question_id", "chunk_id"), with_ids, strict=True) if not there
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.parquet"
        pq.write_table(table.drop_columns(without), path)
        found, expected = outcomes(path, on_error)
    assert found == expected


@pytest.mark.parametrize("compression", ["none", "snappy"])
def test_a_damaged_file_is_told_as_without_the_core(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "x.parquet"
    columns = {
        "question_id": [f"q{i}" for i in range(30)],
        "question": [f"what about {i}?" for i in range(30)],
        "text": [None if i == 7 else f"about {i} and {i % 3}" for i in range(30)],
    }
    pq.write_table(pa.table(columns), path, compression=compression, row_group_size=20)
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        found, expected = outcomes(path, "skip")
        assert found == expected
        assert found[0] is InputError
    path.write_bytes(content)
    whole = outcome(path, "skip")
    # pyarrow itself ends the process over some damage of a footer.
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    draw = random.Random(compression)
    for _ in range(150):
        damaged = bytearray(content)
        damaged[draw.randrange(footer)] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        found, expected = outcomes(path, "skip")
        # What nobody needs may be damaged.
        assert found in (expected, whole)


def test_a_column_that_is_no_text_is_left_to_pyarrow(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    columns = {
        "query": ["a", "b"],
        "positive": ["c", "d"],
        "negative": [["e"], ["f"]],
        "label": [1, 0],
    }
    pq.write_table(pa.table(columns), path)
    file = ParquetFile.open(path)
    assert file is not None
    # The candidates have their texts in common, and one of them is a list.
    assert cells_of(file, roles_of(file.names, None, "f")).keys() == {"query"}
    found, expected = outcomes(path, "strict")
    assert found == expected


def test_a_column_with_two_roles_is_left_to_pyarrow(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"query": ["a"], "text": ["b"]}), path)
    file = ParquetFile.open(path)
    assert file is not None
    roles = roles_of(file.names, "positive=text,answer=text", "f")
    assert not cells_of(file, roles)
