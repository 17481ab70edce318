"""A data set from columns in memory equals the one from files with the same rows."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import arro3.core as arrow
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stage2._core import Dataset, DistinctTexts, InputError, TextColumn, read_bytes
from tests.files import jsonl
from tests.small import write_jsonl

files = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])

TEXT = st.text(st.sampled_from('ab "\\/\n\t\x00\x7fü日😀'), max_size=8)
IDS = st.sampled_from(["a", "b", "1", ""]) | st.integers(-2, 3)
# There are as many as rows may need. Those of numbers are not those of texts.
SOUND_IDS = st.integers(-9, 9) | st.text("ab", min_size=1, max_size=3)
NONE = np.zeros(0, np.int64)

Column = list[Any]


def in_arrow(kind: Any) -> Callable[[Column], Any]:
    """Join two arrays. Whole numbers become texts, as ids do."""

    def make(column: Column) -> Any:
        texts = [None if item is None else str(item) for item in column]
        cut = len(texts) // 2
        parts = [arrow.Array(part, type=kind) for part in (texts[:cut], texts[cut:])]
        return arrow.ChunkedArray(parts)

    return make


def in_core(column: Column) -> TextColumn:
    """Make a column of the core, in which a missing text is the empty string."""
    texts = [None if item is None else str(item) for item in column]
    distinct = DistinctTexts()
    codes = distinct.add(pa.array(texts, pa.string()))
    return distinct.take().select(codes)


FORMS: dict[str, Callable[[Column], Any]] = {
    "list": list,
    "numpy": lambda column: np.array([*column, None], object)[:-1],
    "string": in_arrow(arrow.DataType.string()),
    "large string": in_arrow(arrow.DataType.large_string()),
    "string view": in_arrow(arrow.DataType.string_view()),
    "one array": lambda column: arrow.Array(
        [None if item is None else str(item) for item in column], type=arrow.DataType.string()
    ),
    "core": in_core,
}


@st.composite
def columns(draw: st.DrawFn) -> dict[str, Column]:
    """Draw columns of questions and chunks, and graded lists of chunks.

    All rows are good, or some are bad.
    """
    n, m = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    sound = draw(st.booleans())

    def column(items: st.SearchStrategy[Any], rows: int, unique: bool = False) -> Column:
        return draw(st.lists(items, min_size=rows, max_size=rows, unique=unique and sound))

    texts = TEXT.map(" é{}".format) if sound else TEXT | st.none()
    qa_ids, chunk_ids = (SOUND_IDS, SOUND_IDS) if sound else (IDS | st.none(), IDS)
    of_question = st.lists(st.integers(0, m - 1), min_size=int(sound), max_size=3, unique=sound)
    chunks = column(of_question, n)
    of_pairs = st.sampled_from([0.5, 1, 2] if sound else [-1, 0, 0.5, 1, 2])
    grades = [column(of_pairs, len(own)) for own in chunks]
    drawn = {
        "questions": column(texts, n),
        "qa_ids": column(qa_ids, n, unique=True),
        "answers": column(TEXT | st.none(), n),
        "texts": column(texts, m),
        "chunk_ids": column(chunk_ids, m, unique=True),
        "titles": column(TEXT | st.none(), m),
        "chunks": chunks,
        "grades": grades,
    }
    # A file without a good row may be taken for a file of another format.
    good = {
        "questions": "good?",
        "qa_ids": "good",
        "answers": None,
        "texts": "good",
        "chunk_ids": "good",
        "titles": None,
        "chunks": [m],
        "grades": [1],
    }
    return {name: [*column, good[name]] for name, column in drawn.items()}


def rows(**members: Column) -> list[dict[str, Any]]:
    """Make the rows of a file, without members that are None."""
    return [
        {name: value for name, value in zip(members, row, strict=True) if value is not None}
        for row in zip(*members.values(), strict=True)
    ]


def from_files(folder: Path, data: dict[str, Column], **settings: Any) -> Dataset:
    ids = data["chunk_ids"]
    qa = rows(
        question=data["questions"],
        qa_id=data["qa_ids"],
        chunk_ids=[[ids[chunk] for chunk in own] for own in data["chunks"]],
        grades=data["grades"],
        answer=data["answers"],
    )
    corpus = rows(chunk_id=ids, text=data["texts"], title=data["titles"])
    (folder / "questions").write_bytes(jsonl(qa))
    (folder / "texts").write_bytes(jsonl(corpus))
    return Dataset.load(folder / "questions", folder / "texts", **settings)


def from_columns(
    data: dict[str, Column], form: Callable[[Column], Any], **settings: Any
) -> Dataset:
    offsets = np.cumsum([0, *map(len, data["chunks"])])
    flat = np.array([chunk for own in data["chunks"] for chunk in own], np.int64)
    grades = np.array([grade for own in data["grades"] for grade in own], np.float64)
    given = {
        name: form(column) for name, column in data.items() if name not in ("chunks", "grades")
    }
    return Dataset.from_columns(relevant=(offsets, flat, grades), **given, **settings)


def outcome(make: Callable[[], Dataset], folder: Path) -> Any:
    """Return the contents of a data set, or the error with which it is refused."""
    try:
        dataset = make()
    except InputError as error:
        return error.reason
    found = {
        name: list(getattr(dataset, name))
        for name in ("qa_ids", "questions", "answers", "chunk_ids", "chunk_texts", "chunk_titles",
                     "relevant", "relevant_offsets")
    }  # fmt: skip
    found["grades"] = None if dataset.grades is None else dataset.grades.tolist()
    found["rejected"] = [
        (rejected.reason, rejected.message.partition(" is not in ")[0])
        for rejected in dataset.rejected
    ]
    found["distinct"] = dataset.num_questions
    found["same"] = dataset.first_of_text.tolist()
    found["warnings"] = [warning.rpartition("/")[2] for warning in dataset.warnings]
    try:
        dataset.construct(1, 3).write_jsonl(folder / "samples.jsonl")
    except InputError as error:
        return {**found, "samples": error.reason}
    return {**found, "samples": (folder / "samples.jsonl").read_bytes()}


def without_empty(column: Column) -> Column:
    return [None if item == "" else item for item in column]


@given(
    data=columns(),
    on_error=st.sampled_from(["strict", "skip"]),
    form=st.sampled_from([*FORMS]),
    join=st.booleans(),
)
@files
def test_columns_are_what_files_are(
    tmp_path: Path, data: dict[str, Column], on_error: str, form: str, join: bool
):
    if form == "core":
        data = {name: without_empty(column) for name, column in data.items()}
    how: dict[str, Any] = {"on_error": on_error, "join_titles": join}
    expected = outcome(lambda: from_files(tmp_path, data, **how), tmp_path)
    found = outcome(lambda: from_columns(data, FORMS[form], **how), tmp_path)
    assert found == expected


GOOD: dict[str, Any] = {
    "questions": ["one?", "two?"],
    "texts": ["a", "b", "c"],
    "relevant": (np.array([0, 1, 3]), np.array([0, 1, 2])),
}


def test_what_is_left_out_is_made():
    dataset = Dataset.from_columns(**GOOD)
    assert list(dataset.chunk_ids) == ["0", "1", "2"]
    assert dataset.relevant.tolist() == [0, 1, 2]
    assert len(set(dataset.qa_ids)) == 2
    assert dataset.grades is None
    assert dataset.annotations is None


def test_a_column_is_found_in_a_table_by_its_name():
    string = arrow.DataType.string()
    qa = arrow.Table.from_pydict(
        {"qa_id": arrow.Array([7, 8], type=arrow.DataType.uint32()),
         "question": arrow.Array(["one?", "two?"], type=string)}
    )  # fmt: skip
    texts = arrow.Table.from_pydict({"text": arrow.Array(["a", "b", "c"], type=string)})
    dataset = Dataset.from_columns(qa, texts, GOOD["relevant"], qa_ids=qa)
    assert list(dataset.qa_ids) == ["7", "8"]
    assert list(dataset.chunk_texts) == ["a", "b", "c"]
    with pytest.raises(
        ValueError, match=r"titles: the table has the columns .*expected one called"
    ):
        Dataset.from_columns(qa, texts, GOOD["relevant"], titles=texts)


def test_an_error_names_the_table_and_the_row():
    with pytest.raises(
        InputError, match=r'^questions, row 1: "question" is empty or only'
    ) as caught:
        Dataset.from_columns(**{**GOOD, "questions": ["one?", " "]})
    error = caught.value
    assert (error.file, error.line, error.column) == ("questions", 1, 0)
    assert error.reason == "empty_question"
    with pytest.raises(InputError, match=r'^texts, row 2: the chunk id "x" has been given'):
        Dataset.from_columns(**GOOD, chunk_ids=["x", "y", "x"])
    dataset = Dataset.from_columns(**{**GOOD, "questions": ["one?", ""]}, on_error="skip")
    assert [(row.file, row.line, row.column) for row in dataset.rejected] == [("questions", 1, 0)]
    assert '"chunk_ids": [1, 2]' in dataset.rejected[0].row


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"questions": []}, ValueError, "the offsets do not cut up the chunks; expected 1 rising"),
        ({"texts": []}, ValueError, "row 0 has the chunk 0; expected row numbers of texts"),
        ({"questions": [], "relevant": (np.array([0]), NONE)}, ValueError, "questions has no rows"),
        ({"relevant": (np.array([0, 1, 3]), np.array([0, 1, 3]))}, ValueError,
         "row 1 has the chunk 3; expected row numbers of texts, from 0 to 2"),
        ({"relevant": (np.array([0, 1, 3]), np.array([0, -1, 2]))}, ValueError, "has the chunk -1"),
        ({"relevant": (np.array([0, 2]), np.array([0, 1]))}, ValueError, "do not cut up"),
        ({"relevant": (*GOOD["relevant"], np.array([1, 2]))}, ValueError, "2 grades for 3 chunks"),
        ({"relevant": (*GOOD["relevant"], np.array([1, np.nan, 2]))}, ValueError,
         "row 1 has the grade NaN; expected finite numbers"),
        ({"relevant": np.arange(3)}, TypeError, "expected (offsets, chunks) or"),
        ({"qa_ids": ["q"]}, ValueError, "qa_ids has 1 rows, questions has 2; expected as many"),
        ({"titles": ["t"]}, ValueError, "titles has 1 rows, texts has 3; expected as many"),
        ({"questions": "ab"}, TypeError, "questions: a str; expected a column of str or int"),
        ({"questions": ["a", 0.5]}, TypeError, "questions: row 1 is a float; expected a column"),
        ({"texts": arrow.Array([1.5] * 3, type=arrow.DataType.float64())}, TypeError,
         "texts: an Arrow column of Float64; expected one of strings or integers: cast it"),
    ],
)  # fmt: skip
def test_columns_that_make_no_data_set(change: dict[str, Any], kind: type[Exception], message: str):
    with pytest.raises(kind) as caught:
        Dataset.from_columns(**{**GOOD, **change})
    assert message in str(caught.value)


def test_titles_and_annotations_are_those_of_files(tmp_path: Path):
    texts, titles = ["the ship sailed", "a red door"], ["Ship", " "]
    entities = write_jsonl(
        tmp_path / "entities.jsonl",
        [{"text": "Ship the ship sailed", "targets": [{"char_start": 0, "char_end": 4}]}],
    )
    dataset = Dataset.from_columns(
        ["what sailed?"],
        texts,
        (np.array([0, 1]), np.array([0])),
        titles=titles,
        entities=entities,
        join_titles=True,
    )
    assert list(dataset.chunk_texts) == ["Ship the ship sailed", "a red door"]
    assert dataset.annotations is not None
    spans, _ = dataset.annotations.spans_for(dataset.chunk_texts)
    assert spans.tolist() == [[0, 4]]


def test_the_bytes_of_a_file_are_read_as_text_alone(tmp_path: Path):
    path = tmp_path / "topics.tsv.gz"
    path.write_bytes(gzip.compress("1\tgrün\n".encode()))
    assert read_bytes(path) == "1\tgrün\n".encode()
    with pytest.raises(InputError, match="bytes"):
        read_bytes(path, 3)
    path.write_bytes("1\tgrün\n".encode("utf-16"))
    with pytest.raises(InputError, match="looks like UTF-16 text; expected text, in UTF-8"):
        read_bytes(path)
