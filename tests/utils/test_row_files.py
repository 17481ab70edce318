"""Files of rows and of vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars
import pytest

from stage2.utils import row_files
from stage2.utils.errors import BadInputError
from stage2.utils.row_files import check_kind, write_rows, write_vectors

ROWS = [{"text": "é\n\u2028", "list": [1.5, 2.0]}, {"text": "", "list": []}]


def test_rows_come_back(tmp_path: Path) -> None:
    assert write_rows(tmp_path / "rows.jsonl", iter(ROWS), "jsonl") == 2
    assert write_rows(tmp_path / "rows.parquet", iter(ROWS), "parquet") == 2
    lines = (tmp_path / "rows.jsonl").read_text("utf-8").split("\n")
    assert len(lines) == 3
    assert polars.read_ndjson(tmp_path / "rows.jsonl").to_dicts() == ROWS
    assert polars.read_parquet(tmp_path / "rows.parquet").to_dicts() == ROWS


def test_vectors_come_back(tmp_path: Path) -> None:
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    write_vectors(tmp_path / "v.parquet", ["a", "b\n", "c"], vectors[::-1])
    read = polars.read_parquet(tmp_path / "v.parquet")
    assert read["id"].to_list() == ["a", "b\n", "c"]
    assert read["embedding"].to_list() == vectors[::-1].tolist()


def test_parquet_needs_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    check_kind("parquet")
    monkeypatch.setattr(row_files, "find_spec", lambda _: None)
    check_kind("jsonl")
    with pytest.raises(BadInputError, match=r"pip install 'stage2\[parquet\]'"):
        check_kind("parquet")
