"""Tables made of Arrow's columns are those that are made row by row."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stage2._core import InputError
from stage2.config import Settings
from stage2.data.formats import read
from stage2.data.tables import Tables, made_id
from stage2.utils.errors import BadInputError
from tests.formats import questions_of, read_file
from tests.small import write_jsonl

WORDS = st.sampled_from(["a", "b", "日本", "", " ", "c d", "e"])
NUMBERS = st.sampled_from([-1.5, 0.0, 1.0, 2.0])
IDS = st.sampled_from(["1", "2", "x"])
# The values of a column, and whether its cells may be lists of them.
COLUMNS: dict[str, tuple[st.SearchStrategy[Any], bool]] = {
    "query": (WORDS, False),
    "positive": (WORDS, True),
    "negative_2": (WORDS, False),
    "negative_1": (WORDS, True),
    "label": (NUMBERS, True),
    "score": (NUMBERS, True),
    "query_id": (IDS, False),
    "chunk_id": (IDS, False),
    "title": (WORDS, False),
    "answer": (WORDS, False),
}


@st.composite
def tables_in_memory(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw rows with the same columns; a column has lists throughout, or none."""
    names = ["query", "positive"]
    names += draw(st.lists(st.sampled_from([*COLUMNS][2:]), unique=True))
    count = draw(st.integers(1, 6))
    columns = {}
    for name in names:
        values, may_be_lists = COLUMNS[name]
        if may_be_lists and draw(st.booleans()):
            values = st.lists(values if values is NUMBERS else values | st.none(), max_size=3)
        cells = st.lists(values | st.none(), min_size=count, max_size=count)
        columns[name] = draw(cells)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def plain(found: Tables) -> Any:
    """Return what a reader found, without what only one of them tells."""
    return (
        questions_of(found),
        sorted((chunk.id or "", chunk.text, chunk.title) for chunk in found.chunks()),
        found.made_ids,
        # If a row has several faults, either may be told.
        [row.line for row in found.rejected],
    )


def outcome(path: Path, on_error: str) -> Any:
    try:
        return plain(read_file(path, on_error=on_error))
    except InputError:
        # If several rows have faults, another one may be told first.
        return "refused"


# A conflict of ids stands before a null.
@example(
    [
        {"query": query, "positive": "a", "query_id": query_id}
        for query, query_id in (("a", "1"), ("b", "1"), (None, None))
    ],
    "skip",
)
@settings(max_examples=60)
@given(rows=tables_in_memory(), on_error=st.sampled_from(["strict", "skip"]))
def test_columns_are_what_rows_are(rows: list[dict[str, Any]], on_error: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lines = write_jsonl(Path(folder) / "x.jsonl", rows)
        table = pa.Table.from_pylist(rows)
        pq.write_table(table, Path(folder) / "x.parquet", row_group_size=2)
        by_rows, by_columns = (
            outcome(path, on_error) for path in (lines, Path(folder) / "x.parquet")
        )
    assert by_columns == by_rows


def test_the_first_row_with_a_fault_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    table = {"query": ["a", "b", None], "query_id": ["1", "1", "2"], "text": ["c", "d", "e"]}
    pq.write_table(pa.table(table), path)
    with pytest.raises(InputError, match=r"x\.parquet, row 2: the id of the question is that of"):
        read_file(path)


def test_a_column_of_another_type_and_a_null_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"query": ["a", None], "text": ["b", "c"]}), path)
    with pytest.raises(InputError, match=r'x\.parquet, row 2: "query" is null; expected text'):
        read_file(path)
    found = read_file(path, on_error="skip")
    assert [(row.line, row.column, row.reason) for row in found.rejected] == [
        (2, 0, "missing_field")
    ]
    pq.write_table(pa.table({"query": ["a"], "text": [1.5]}), path)
    with pytest.raises(BadInputError, match="the column 'text' holds double; expected texts or"):
        read_file(path)
    pq.write_table(pa.table({"query": [["a"]], "text": ["b"]}), path)
    with pytest.raises(BadInputError, match="the column 'query' holds lists"):
        read_file(path)


def test_whole_numbers_are_ids_and_dictionaries_are_texts(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    texts = pa.array(["a", "b", "a"]).dictionary_encode()
    table = pa.table({"anchor": pa.array(["x", "y", "x"]), "text": texts, "query_id": [7, 8, 7]})
    pq.write_table(table, path)
    found = read_file(path)
    assert list(found.question_ids) == ["7", "8"]
    assert found.relevant.chunks.tolist() == [0, 1]
    renamed = read_file(path, columns="question_id=query_id,question=anchor")
    assert questions_of(renamed) == questions_of(found)


def test_a_value_that_is_no_utf8_is_a_fault_of_its_row(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    raw = pa.array([b"x", b"\xff", b"y"], pa.binary()).cast(pa.string(), safe=False)
    pq.write_table(pa.table({"query": ["a", "b", "c"], "text": raw}), path)
    with pytest.raises(InputError, match=r'x\.parquet, row 2: "text" is no UTF-8; expected text'):
        read_file(path)
    found = read_file(path, on_error="skip")
    assert [(row.line, row.reason) for row in found.rejected] == [(2, "invalid_utf8")]
    assert list(found.texts) == ["x", "y"]


def test_the_first_answer_counts_and_an_empty_one_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    columns = {
        "question": ["a", "b", "a", "b", "a"],
        "context": ["1", "2", "3", "4", "5"],
        "answer": ["", None, "yes", "", "no"],
        "title": ["", "T", None, "", "U"],
    }
    pq.write_table(pa.table(columns), path)
    found = read_file(path)
    assert found.answers is not None
    assert list(found.answers) == ["yes", ""]
    assert found.titles is not None
    assert list(found.titles) == ["", "T", "", "", "U"]


def test_an_empty_id_is_refused_and_a_missing_one_made(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    columns = {"question": ["a", "b"], "context": ["1", "2"], "chunk_id": ["", None]}
    pq.write_table(pa.table(columns), path)
    with pytest.raises(InputError, match="is empty; expected an id"):
        read(Settings(data=str(path)), memory_map=False)
    columns["chunk_id"][0] = "x"
    pq.write_table(pa.table(columns), path)
    assert list(read_file(path).chunk_ids) == ["x", made_id("", "2")]
