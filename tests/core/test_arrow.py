"""Polars, DuckDB, pandas, pyarrow, datasets and arro3 take the library's data by Arrow."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Any

import arro3.core
import datasets
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
from tests.memory import run_measured
from tests.reference import view_texts
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
        datasets.Dataset(pyarrow.table(held)).to_list(),
        datasets.Dataset.from_polars(polars.DataFrame(held)).to_list(),
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
    assert pyarrow.array(one.chunk_texts).type == pyarrow.string_view()


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


def write_texts(folder: Path, chunks: list[dict[str, Any]]) -> tuple[Path, Path]:
    """Write chunks, and a question about each of them, with all characters as they are."""
    qa = [{"question": f"what is {row['text']}", "chunk_id": row["chunk_id"]} for row in chunks]
    paths = folder / "qa.jsonl", folder / "chunks.jsonl"
    for path, rows in zip(paths, (qa, chunks), strict=True):
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        path.write_text("".join(lines), encoding="utf-8")
    return paths


def read_views(array: pyarrow.Array) -> tuple[list[str], list[int | None]]:
    """Read the views of an array as the twin does, and tell where in memory each text starts."""
    _, views, *buffers = array.buffers()
    content = bytes(views)[array.offset * 16 : (array.offset + len(array)) * 16]
    places: list[int | None] = []
    for start in range(0, len(content), 16):
        length, buffer, offset = (
            int.from_bytes(content[start + at : start + at + 4], "little") for at in (0, 8, 12)
        )
        places.append(buffers[buffer].address + offset if length > 12 else None)
    return view_texts(content, [bytes(buffer) for buffer in buffers]), places


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.none() | TEXT, st.text(st.sampled_from('ab "\\\n\tü日😀'), max_size=30)),
        min_size=1,
        max_size=8,
    )
)
def test_texts_are_views_of_the_file_unless_they_have_no_bytes_there(
    tmp_path: Path, rows: list[tuple[str | None, str]]
) -> None:
    chunks = [
        {"chunk_id": f"c{i}", "text": f"{i}:{text}"} | ({} if title is None else {"title": title})
        for i, (title, text) in enumerate(rows)
    ]
    paths = write_texts(tmp_path, chunks)
    content = paths[1].read_bytes()
    for join_titles in (True, False):
        one = Dataset.load(*paths, join_titles=join_titles)
        (array,) = pyarrow.table(one.chunks)["text"].chunks
        array.validate(full=True)
        found, places = read_views(array)
        assert found == array.to_pylist() == list(one.chunk_texts)
        assert join_titles or found == [row["text"] for row in chunks]
        # Every text that is lent is as far from its place in the file as any other.
        starts = set()
        for text, row, place in zip(found, chunks, places, strict=True):
            written = f'"text": "{text}"'.encode()
            if place is not None and written in content and text == row["text"]:
                starts.add(place - content.index(written) - len('"text": "'))
        assert len(starts) <= 1


def test_no_text_of_a_file_that_is_read_or_mapped_is_copied(tmp_path: Path) -> None:
    chunks = [{"chunk_id": f"c{i:05}", "text": f"the text of {i:05} " * 60} for i in range(5000)]
    paths = write_texts(tmp_path, chunks)
    content = paths[1].read_bytes()
    for memory_map in (True, False):
        one = Dataset.load(*paths, memory_map=memory_map)
        table = pyarrow.table(one.chunks)
        starts, row, at = set(), 0, 0
        for array in table["text"].chunks:
            assert sum(buffer.size for buffer in array.buffers()[2:]) < len(content) / 2
            for text, place in zip(*read_views(array), strict=True):
                assert place is not None
                assert text == chunks[row]["text"]
                at = content.index(text.encode(), at)
                starts.add(place - at)
                row += 1
        (start,) = starts
        assert row == len(chunks)
        if memory_map and sys.platform == "linux":
            mapped = [
                line.split("-")[0]
                for line in Path("/proc/self/maps").read_text().splitlines()
                if line.endswith(str(paths[1]))
            ]
            assert f"{start:x}" in mapped
        # Polars takes the same memory, and it lives as long as the frame.
        frame = polars.DataFrame(one.chunks)
        del one, table
        gc.collect()
        assert frame["text"].to_list() == [row["text"] for row in chunks]


# pyarrow imports pandas when it makes its first table.
_MEASURED = """
import sys, pandas, pyarrow, polars
from stage2 import Dataset
one = Dataset.load(*sys.argv[1:], memory_map=False)
begin()
held = pyarrow.table(one.chunks), polars.DataFrame(one), one.chunk_texts.__arrow_c_array__()
end()
assert held[0].num_rows == 20_000 and held[1].height == 1
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by /proc")
def test_a_table_over_a_large_file_takes_little_memory(tmp_path: Path) -> None:
    line = b'{"chunk_id": "c%05d", "text": "' + b"a text of two kilobytes " * 85 + b'"}\n'
    paths = tmp_path / "qa.jsonl", tmp_path / "chunks.jsonl"
    paths[0].write_bytes(b'{"question": "what is it about", "chunk_id": "c00001"}\n')
    paths[1].write_bytes(b"".join(line % i for i in range(20_000)))
    assert paths[1].stat().st_size > 39 << 20
    # 16 bytes a text, and as many an id, three times.
    assert run_measured(_MEASURED, *paths) < 12 << 20


def asked_for(held: Any, of: dict[str, pyarrow.DataType]) -> pyarrow.Table:
    """Read a table with other types in the schema that is asked for."""
    own = pyarrow.schema(held)
    fields = [field.with_type(of.get(field.name, field.type)) for field in own]
    capsule = pyarrow.schema(fields).__arrow_c_schema__()
    stream = held.__arrow_c_stream__(capsule)
    return pyarrow.RecordBatchReader._import_from_c_capsule(stream).read_all()


def test_strings_are_given_to_whoever_asks_for_them(dataset: Dataset) -> None:
    view, small, large = pyarrow.string_view(), pyarrow.string(), pyarrow.large_string()
    expected = pyarrow.table(dataset).to_pylist()
    assert pyarrow.schema(dataset).field("question").type == view
    for kind in (small, large, view):
        of = {"question": kind, "qa_id": kind, "chunk_ids": pyarrow.list_(kind), "no": kind}
        made = asked_for(dataset, of)
        assert made.schema.field("question").type == made.schema.field("qa_id").type == kind
        assert made.schema.field("answer").type == view
        assert made.schema.field("chunk_ids").type == pyarrow.large_list(kind)
        assert made.to_pylist() == expected
        array = pyarrow.array(dataset.questions, type=kind)
        assert (array.type, array.to_pylist()) == (kind, list(dataset.questions))
    # Lists have copies unless views are asked for, for pandas takes no views in lists.
    assert pyarrow.schema(dataset).field("chunk_ids").type == pyarrow.large_list(large)
    samples = dataset.construct(2, 0)
    made = asked_for(samples, {"negative_contexts": pyarrow.large_list(view)})
    assert made["negative_contexts"].type == pyarrow.large_list(view)
    assert made.to_pylist() == pyarrow.table(samples).to_pylist()
    # A schema that means nothing here is a wish that goes unheard.
    assert asked_for(dataset, {"question": pyarrow.int64()}) == pyarrow.table(dataset)
    with pytest.raises((TypeError, ValueError)):
        dataset.__arrow_c_stream__(1)
    rows = pyarrow.table(table({"x": dataset.questions, "y": np.arange(12)}))
    assert rows["x"].type == view
    assert rows["x"].to_pylist() == list(dataset.questions)
