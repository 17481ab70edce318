"""Polars, DuckDB, pandas, pyarrow and arro3 take the library's data by Arrow."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import arro3.core
import duckdb
import numpy as np
import pandas
import polars
import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stage2 import Dataset, Embeddings, Positives, Rules, Samples, mine_negatives, rank
from stage2._core import table
from tests.small import write_corpus

TEXT = st.text(st.sampled_from('ab "\\/\n\tü日😀'), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    paths = write_corpus(tmp_path_factory.mktemp("data"))
    return Dataset.load(paths["qa"], paths["chunks"])


def in_all(held: Any) -> list[list[dict[str, Any]]]:
    """Read a table by each library, as rows."""
    read = duckdb.sql("select * from held")
    names = read.columns
    return [
        polars.DataFrame(held).to_dicts(),
        pyarrow.table(held).to_pylist(),
        pandas.DataFrame.from_arrow(held).to_dict("records"),
        [dict(zip(names, row, strict=True)) for row in read.fetchall()],
        pyarrow.table(arro3.core.Table.from_arrow(held)).to_pylist(),
    ]


def plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let lists be lists, and nothing be None."""

    def of(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return [of(item) for item in value.tolist()]
        missing = not isinstance(value, list) and pandas.isna(value)
        return None if missing else value

    return [{name: of(value) for name, value in row.items()} for row in rows]


def test_samples_are_the_rows_of_their_file(dataset: Dataset, tmp_path: Path) -> None:
    samples = dataset.construct(2, 0)
    samples.write_jsonl(tmp_path / "samples.jsonl")
    lines = (tmp_path / "samples.jsonl").read_text("utf-8").splitlines()
    for made in (samples, Samples.load_jsonl(tmp_path / "samples.jsonl")):
        for rows in in_all(made):
            for row, line in zip(plain(rows), lines, strict=True):
                written = json.loads(line)
                assert row["gt_grades"] == [1.0] * len(row["gt_chunk_ids"])
                assert written.pop("gt_chunk_id") == row["gt_chunk_ids"][0]
                assert row | written == row


def test_questions_and_chunks_of_a_data_set(dataset: Dataset) -> None:
    for rows in in_all(dataset):
        assert [row["qa_id"] for row in rows] == list(dataset.qa_ids)
        for i, row in enumerate(plain(rows)):
            own = dataset.relevant[dataset.relevant_offsets[i] : dataset.relevant_offsets[i + 1]]
            assert row["chunk_ids"] == dataset.chunk_ids.take(own)
            assert (row["question"], row["answer"]) == (dataset.questions[i], dataset.answers[i])
    for rows in in_all(dataset.chunks):
        assert [row["text"] for row in rows] == list(dataset.chunk_texts)
        assert [row["chunk_id"] for row in rows] == list(dataset.chunk_ids)
        assert {row["title"] for row in plain(rows)} == {None}
    with pytest.raises(TypeError):
        len(dataset)  # type: ignore[arg-type]
    assert len(dataset.chunks) == dataset.num_chunks


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXT, min_size=1, max_size=6), st.data())
def test_a_data_set_comes_back_from_its_tables(texts: list[str], data: st.DataObject) -> None:
    """Escapes and missing values survive the way out by Arrow and in again."""
    titles = data.draw(st.lists(st.none() | TEXT, min_size=len(texts), max_size=len(texts)))
    offsets, chunks = np.arange(len(texts) + 1), np.arange(len(texts))
    ids = [str(i) for i in chunks]
    good = [f"{text}." for text in texts]
    one = Dataset.from_columns(
        good, good, (offsets, chunks), qa_ids=ids, titles=titles, answers=titles
    )
    asked, held = polars.DataFrame(one), pyarrow.table(one.chunks)
    again = Dataset.from_columns(
        asked["question"], held["text"], (offsets, chunks), qa_ids=asked["qa_id"],
        chunk_ids=held["chunk_id"], titles=held["title"], answers=asked["answer"],
    )  # fmt: skip
    for name in ("qa_ids", "questions", "answers", "chunk_ids", "chunk_texts", "chunk_titles"):
        assert list(getattr(again, name)) == list(getattr(one, name))
    assert pyarrow.array(one.chunk_texts).to_pylist() == good
    assert pyarrow.array(one.chunk_texts).type == pyarrow.large_string()


def test_results_are_tables_of_their_arrays() -> None:
    ranking = rank(np.array([0.1, 0.9, 0.5, 0.5], np.float32), [0, 2, 4], 1)
    for rows in in_all(ranking):
        assert [row["rank"] for row in rows] == ranking.rank.tolist() == [2, 1.5]
        assert [row["ties"] for row in rows] == [0, 1]
        assert [row["ndcg10"] for row in rows] == ranking.ndcg(10).tolist()
    vectors = Embeddings.empty(3, 2)
    vectors.mu[:] = np.arange(6).reshape(3, 2)
    frame = polars.DataFrame(vectors)
    assert frame.schema["mu"] == polars.Array(polars.Float32, 2)
    assert frame["mu"].to_list() == vectors.mu.tolist()
    assert frame["has_entity"].to_list() == [False] * 3
    positives = Positives(np.array([0, 1]), np.array([0, 1, 2]))
    mined = mine_negatives(vectors.mu[:2], vectors.mu, positives, Rules(negatives=2))
    for rows in in_all(mined):
        assert [row["rows"] for row in plain(rows)] == [[2, 1], [2, 0]]


def test_numbers_are_lent_and_live_as_long_as_they_are_read() -> None:
    array = np.arange(1000, dtype=np.float32)
    read = pyarrow.table(table({"x": array}))["x"].chunk(0)
    assert read.buffers()[1].address == array.ctypes.data
    made = table({"x": np.arange(50_000), "y": np.ones((50_000, 4), np.float32)})
    held = pyarrow.table(made)
    series = polars.DataFrame(made)["x"]
    stream = made.__arrow_c_stream__()
    del made, array
    gc.collect()
    noise = [np.full(50_000, -1) for _ in range(20)]
    assert held["x"].to_pylist() == series.to_list() == list(range(50_000))
    assert pyarrow.RecordBatchReader._import_from_c_capsule(stream).read_all() == held
    assert held["x"].num_chunks > 1
    assert len(noise) == 20


def test_a_data_set_lives_as_long_as_its_stream(tmp_path: Path) -> None:
    paths = write_corpus(tmp_path)
    dataset = Dataset.load(paths["qa"], paths["chunks"], memory_map=False)
    expected = list(dataset.questions)
    stream = dataset.__arrow_c_stream__()
    del dataset
    gc.collect()
    read = pyarrow.RecordBatchReader._import_from_c_capsule(stream)
    assert read.read_all()["question"].to_pylist() == expected
    # A stream that nobody reads is released too.
    Dataset.load(paths["qa"], paths["chunks"]).__arrow_c_stream__()


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"x": np.zeros(2), "y": np.zeros(3)}, "y has 3 rows and x 2"),
        ({"x": (np.array([1, 2]), np.zeros(2))}, "do not rise from 0"),
        ({"x": (np.array([0, 2, 1]), np.zeros(2))}, "do not rise from 0"),
        ({"x": (np.array([0, 3]), np.zeros(2))}, "3"),
    ],
)
def test_columns_that_do_not_fit(columns: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        table(columns)


def test_columns_of_another_type() -> None:
    with pytest.raises(TypeError, match="x: a ndarray; expected texts, an array of int64"):
        table({"x": np.zeros(2, np.int8)})
    rows = pyarrow.table(table({"x": (np.array([0, 0, 2]), ["a", "b"])})).to_pylist()
    assert rows == [{"x": []}, {"x": ["a", "b"]}]
