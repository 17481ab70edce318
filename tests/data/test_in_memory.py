"""Data in memory is read as the same data in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from stage2 import BadInputError, Dataset, Samples
from stage2.config import Settings
from stage2.data.formats import read
from stage2.data.in_memory import as_files

COLUMNS = {
    "anchor": ["what is a cat?", "and a dog?", "what is a cat?"],
    "positive": ["a cat", "a dog", "an animal"],
    "negative": ["a bird", "a fish", "a stone"],
}
TABLES = {
    "arrow": pa.table,
    "polars": pl.DataFrame,
    "pandas": lambda columns: pd.DataFrame(columns, index=[5, 6, 7]),
    "datasets": lambda columns: datasets.Dataset.from_dict(columns).select([0, 1, 2]),
}


def facts(data: Dataset) -> list[Any]:
    grades = None if data.grades is None else data.grades.tolist()
    lists = [data.relevant.tolist(), data.relevant_offsets.tolist(), grades]
    texts = (data.qa_ids, data.questions, data.answers, data.chunk_ids, data.chunk_texts)
    return [*lists, *map(list, texts), list(data.chunk_titles)]


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_is_read_as_its_columns(kind: str, tmp_path: Path) -> None:
    with as_files(TABLES[kind](COLUMNS), tmp_path / "run") as named:
        assert Path(named["data"]).parent == tmp_path / "run" / "data"
        found = read(Settings(**named), memory_map=False).dataset
    assert found is not None
    assert list(found.questions) == ["what is a cat?", "and a dog?"]
    assert found.relevant_offsets.tolist() == [0, 2, 3]
    assert sorted(found.chunk_texts) == sorted(COLUMNS["positive"] + COLUMNS["negative"])


@pytest.mark.parametrize("join", [False, True])
@pytest.mark.parametrize("third", ["what is a bird?", "what is a cat?"])
def test_a_data_set_is_the_same_again(join: bool, third: str, tmp_path: Path) -> None:
    grades = () if third == "what is a cat?" else (np.array([2, 1, 1, 1]),)
    data = Dataset.from_columns(
        questions=["what is a cat?", "and a dog?", third],
        texts=["a cat", "a dog", "a bird\u2028\u202e"],
        relevant=(np.array([0, 2, 3, 4]), np.array([0, 2, 1, 2]), *grades),
        titles=["Cats", None, None],
        answers=["an animal", None, None],
        qa_ids=["q1", "q2", "q3"],
        join_titles=join,
    )
    with as_files(data, tmp_path) as named:
        again = Dataset.load(named["qa"], named["chunks"])
        assert named["title"] == "ignore"
        assert facts(again) == facts(data)


def test_annotations_come_along(corpus: dict[str, Path], tmp_path: Path) -> None:
    data = Dataset.load(**corpus)
    with as_files(data, tmp_path) as named:
        again = Dataset.load(named["qa"], named["chunks"], named["entities"])
    assert data.annotations is not None
    assert again.annotations is not None
    assert list(again.annotations.texts) == list(data.annotations.texts)
    assert again.annotations.spans.tolist() == data.annotations.spans.tolist()
    # Titles do not count beside annotations, and a setting that does not count is refused.
    assert "title" not in named


def test_samples_are_the_same_again(corpus: dict[str, Path], tmp_path: Path) -> None:
    samples = Dataset.load(corpus["qa"], corpus["chunks"]).construct(negatives=3)
    samples.write_jsonl(tmp_path / "wanted.jsonl")
    with as_files(samples, tmp_path) as named:
        assert Path(named["data"]).read_bytes() == (tmp_path / "wanted.jsonl").read_bytes()
        assert len(Samples.load_jsonl(named["data"])) == len(samples)


def test_equal_data_is_one_file(tmp_path: Path) -> None:
    names = []
    for _ in range(2):
        with as_files(pd.DataFrame(COLUMNS), tmp_path) as named:
            names.append(named["data"])
    assert names[0] == names[1]
    with as_files(pd.DataFrame(COLUMNS)[:2], tmp_path) as named:
        assert named["data"] != names[0]
    assert len(list((tmp_path / "data").iterdir())) == 2


def test_a_refusal_leaves_nothing_new(tmp_path: Path) -> None:
    def refused(columns: dict[str, list[str]]) -> None:
        with as_files(pa.table(columns), tmp_path / "a" / "b"):
            raise BadInputError("no")

    with pytest.raises(BadInputError, match="no"):
        refused(COLUMNS)
    assert not list(tmp_path.iterdir())
    with as_files(pa.table(COLUMNS), tmp_path / "a" / "b") as named:
        pass
    with pytest.raises(BadInputError, match="no"):
        refused(COLUMNS)
    assert Path(named["data"]).is_file()


def test_a_failure_keeps_the_files(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), as_files(pa.table(COLUMNS), tmp_path) as named:
        raise RuntimeError
    assert Path(named["data"]).is_file()


@pytest.mark.parametrize("data", [3, [{"question": "?"}], datasets.DatasetDict()])
def test_other_types_are_refused(data: object, tmp_path: Path) -> None:
    message = f"type {type(data).__name__}; expected a path"
    with pytest.raises(BadInputError, match=message), as_files(data, tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_an_empty_table_is_refused(tmp_path: Path) -> None:
    empty = datasets.Dataset.from_dict({name: [] for name in COLUMNS})
    with pytest.raises(BadInputError, match="the table has no rows"), as_files(empty, tmp_path):
        pass
    assert not list(tmp_path.iterdir())
