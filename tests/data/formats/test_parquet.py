"""Parquet: read by others what is written, and read what others write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stage2._core import InputError
from stage2.config import InputConfig, Settings
from stage2.data import arrow_cells
from stage2.data.conversion import convert
from stage2.data.formats import read
from stage2.utils.errors import BadInputError
from tests.formats import read_file
from tests.small import write_jsonl

ROWS = [
    {"query": "who?", "pos": ["he"], "neg": ["it", "日本"], "pos_scores": [2], "neg_scores": [1, 0]}
]
EXPECTED = [("who?", "he", 1.0, 2.0), ("who?", "it", 0.0, 1.0), ("who?", "日本", 0.0, 0.0)]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    source = write_jsonl(tmp_path / "x.jsonl", ROWS)
    convert(InputConfig(data=str(source)), tmp_path / "x.parquet", "parquet")
    return tmp_path / "x.parquet"


def test_others_read_what_is_written(written: Path) -> None:
    names = ["question", "text", "label", "score"]
    table = pq.read_table(written)
    assert [tuple(row[name] for name in names) for row in table.to_pylist()] == EXPECTED
    assert polars.read_parquet(written).select(names).rows() == EXPECTED
    columns = ", ".join(names)
    assert duckdb.sql(f"select {columns} from '{written}'").fetchall() == EXPECTED
    assert [*pandas.read_parquet(written)[names].itertuples(index=False, name=None)] == EXPECTED


def test_a_data_set_is_made_without_an_object_for_a_row(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(
        pa.table({"question": ["a", "b"], "context": ["x", "x"], "answer": ["1", None]}), path
    )
    contents = read(Settings(data=str(path)), False)
    assert contents.dataset is not None
    assert (contents.dataset.num_chunks, list(contents.dataset.answers)) == (1, ["1", ""])


def test_batches_are_read_in_their_order(tmp_path: Path) -> None:
    path, numbers = tmp_path / "x.parquet", range(20_000)
    columns = {
        "unread": [[i] for i in numbers],
        "question_id": [f"q{i // 2}" for i in numbers],
        "question": [f"what about {i // 2}?" for i in numbers],
        "chunk_id": [f"c{i % 11_000}" for i in numbers],
        "text": [f"about {i % 11_000}" for i in numbers],
    }
    pq.write_table(pa.table(columns), path, row_group_size=9_000)
    found = read(Settings(data=str(path)), False).dataset
    assert found is not None
    assert list(found.questions) == columns["question"][::2]
    assert list(found.qa_ids) == columns["question_id"][::2]
    assert list(found.chunk_texts) == columns["text"][:11_000]
    assert list(found.chunk_ids) == columns["chunk_id"][:11_000]
    assert found.relevant.tolist() == [i % 11_000 for i in numbers]
    assert found.relevant_offsets.tolist() == [*range(0, 20_001, 2)]


def test_what_is_no_parquet_and_a_missing_pyarrow_are_told(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written.write_bytes(written.read_bytes()[:-9])
    with pytest.raises(InputError, match="expected a whole Parquet file"):
        read_file(written)
    with pytest.raises(FileNotFoundError):
        read_file(written.with_name("none.parquet"))

    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(arrow_cells, "import_module", missing)
    with pytest.raises(BadInputError, match=r"pip install 'stage2\[parquet\]'"):
        read_file(written)
