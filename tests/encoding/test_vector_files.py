"""Files of vectors: what is read, and what is refused."""

from __future__ import annotations

import builtins
import logging
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stage2.encoding.vector_files import read_vectors, unit
from stage2.utils.errors import BadInputError

IDS = ["a", "b", "c"]
VECTORS = np.asarray([[3.0, 4.0], [0.6, 0.8], [1.0, 0.0]], np.float32)


def write(folder: Path, vectors: Any = VECTORS, ids: str = "a\nb\nc\n") -> Path:
    np.save(folder / "v.npy", vectors, allow_pickle=True)
    (folder / "v.ids.txt").write_text(ids)
    return folder / "v.npy"


def write_parquet(folder: Path, columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), folder / "v.parquet")
    return folder / "v.parquet"


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8"])
def test_rows_come_in_the_order_of_the_data(dtype: str, tmp_path: Path) -> None:
    file = read_vectors(write(tmp_path, VECTORS.astype(dtype)))
    dot = file.of(["c", "a", "a"], "chunks", False, "dot").mu
    assert np.array_equal(dot, VECTORS[[2, 0, 0]])
    cosine = file.of(IDS, "chunks", True, "cosine").mu
    assert np.allclose(cosine, [[0.6, 0.8], [0.6, 0.8], [1, 0]], atol=1e-3)
    assert dot.dtype == cosine.dtype == np.float32


def test_vectors_of_unit_length_keep_their_bits() -> None:
    made = np.random.default_rng(0).normal(size=(50, 384))
    vectors = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    assert np.array_equal(unit(vectors), vectors)
    assert np.allclose(np.linalg.norm(unit(3 * vectors), axis=1), 1)


def test_parquet_has_ids_of_text_or_numbers(tmp_path: Path) -> None:
    rows = VECTORS.tolist()
    file = read_vectors(write_parquet(tmp_path, {"id": [7, 8, 9], "vector": rows}))
    assert np.array_equal(file.of(["8", "7"], "chunks", False, "dot").mu, VECTORS[[1, 0]])


BAD_FILES: list[tuple[Any, str, str]] = [
    (VECTORS, "a\nb\n", "3 vectors, but 2 ids"),
    (VECTORS, "a\nb\nb\n", "1 ids stand there twice: 'b'"),
    (VECTORS, "a\n\nb\n", "v.ids.txt:2: is blank"),
    (VECTORS.astype(int), "a\nb\nc\n", "numbers of type int64; expected float16"),
    (VECTORS[0], "a\nb\n", "shape (2,); expected (n, d)"),
    (np.asarray([{}, {}], object), "a\nb\n", "without pickle"),
]


@pytest.mark.parametrize(("vectors", "ids", "said"), BAD_FILES)
def test_a_bad_file_is_refused(vectors: Any, ids: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as refused:
        read_vectors(write(tmp_path, vectors, ids))
    assert said in str(refused.value)


BAD_TABLES: list[tuple[dict[str, Any], str]] = [
    ({"id": ["a"], "embedding": [[1.0]]}, "has the columns id, embedding; expected id and vector"),
    ({"id": ["a", "b"], "vector": [[1.0], [1.0, 2.0]]}, "widths from 1 to 2"),
    ({"id": ["a", None], "vector": [[1.0], [1.0]]}, "1 rows have no id"),
    ({"id": ["a"], "vector": [[1]]}, "expected lists of floats"),
    ({"id": ["a"], "vector": [1.0]}, "expected lists of floats"),
    ({"id": [1.5], "vector": [[1.0]]}, "expected text or integers"),
]


@pytest.mark.parametrize(("columns", "said"), BAD_TABLES)
def test_a_bad_table_is_refused(columns: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as refused:
        read_vectors(write_parquet(tmp_path, columns))
    assert said in str(refused.value)


def test_other_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pickled.npy").write_bytes(pickle.dumps([1.0]))
    np.savez(tmp_path / "many.npz", VECTORS)
    (tmp_path / "many.npz").rename(tmp_path / "many.npy")
    (tmp_path / "v.parquet").write_bytes(b"nothing")
    np.save(tmp_path / "alone.npy", VECTORS)
    for name, said in [
        ("pickled.npy", "without pickle"), ("many.npy", "an archive of arrays"),
        ("v.parquet", "is not read as Parquet"), ("alone.npy", "alone.ids.txt: no such file"),
        (".", "is a folder"),
    ]:  # fmt: skip
        with pytest.raises(BadInputError, match=said):
            read_vectors(tmp_path / name)
    whole_import = builtins.__import__

    def without_pyarrow(name: str, *more: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError
        return whole_import(name, *more)

    monkeypatch.setattr(builtins, "__import__", without_pyarrow)
    with pytest.raises(BadInputError, match=r"install stage2\[parquet\]"):
        read_vectors(tmp_path / "v.parquet")


def test_ids_must_be_those_of_the_data(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = read_vectors(write(tmp_path))
    with pytest.raises(BadInputError, match=r"2 of the 3 chunks have no vector: 'x', 'y'; expec"):
        file.of(["a", "x", "y"], "chunks", False, "dot")
    with pytest.raises(BadInputError, match=r"1 of 3 ids are not among the chunks .*: 'c'; expec"):
        file.of(["a", "b"], "chunks", True, "dot")
    with caplog.at_level(logging.INFO, "stage2"):
        file.of(["a", "b"], "chunks", False, "dot")
    assert "1 of 3 ids are not among the chunks of the data: 'c'; their vectors" in caplog.text


@pytest.mark.parametrize(
    ("row", "similarity", "said"),
    [([np.nan, 1], "dot", "hold NaN or infinity"), ([1e39, 1], "dot", "hold NaN or infinity"),
     ([0, 0], "cosine", "are zero, and have no cosine")],
)  # fmt: skip
def test_vectors_that_cannot_be_compared(
    row: list[float], similarity: Any, said: str, tmp_path: Path
) -> None:
    file = read_vectors(write(tmp_path, np.asarray([row, [1, 0], [1, 0]], np.float64)))
    with pytest.raises(BadInputError, match=f"vectors of 'a' {said}"):
        file.of(IDS, "chunks", True, similarity)
    file.of(["b", "c"], "chunks", False, similarity)
