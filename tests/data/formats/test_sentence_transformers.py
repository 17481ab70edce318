"""The columns of sentence-transformers: tuples and labelled lists, with a teacher or without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest

from stage2._core import InputError
from stage2.config import InputConfig
from stage2.data.conversion import convert
from stage2.utils.errors import BadInputError
from stage2.variants import format_of
from tests.formats import questions_of, read_file
from tests.small import write_jsonl

Rows = list[dict[str, Any]]
TUPLES: Rows = [
    {"anchor": "q", "positive": "a", "negative_2": "c", "negative_1": "b", "label": [3, 2, 1]},
    {"anchor": "q", "positive": "d", "negative_1": "b", "label": [4, 5]},
]


def found(path: Path, rows: Rows) -> list[tuple[str, list[Any], list[Any]]]:
    return [
        (
            question.text,
            [(one.chunk.text, one.grade, one.score) for one in question.relevant],
            [(one.chunk.text, one.grade, one.score) for one in question.negatives],
        )
        for question in questions_of(read_file(write_jsonl(path, rows)))
    ]


def test_negatives_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    assert found(path, TUPLES) == [
        ("q", [("a", None, 3), ("d", None, 4)], [("b", None, 2), ("c", None, 1)])
    ]
    assert format_of(path, None) == "sentence-transformers"


def test_labels_beside_texts_are_grades(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    rows: Rows = [{"query": "q", "docs": ["a", "b", "c"], "labels": [1, 0, 2], "scores": [7, 8, 9]}]
    expected = [("q", [("a", 1, 7), ("c", 2, 9)], [("b", 0, 8)])]
    assert found(path, rows) == expected
    assert found(path, [{"query": "q", "positive": "a", "label": 0.0}]) == [
        ("q", [], [("a", 0, None)])
    ]
    assert found(path, [{"query": "q", "positive": "a", "label": [0.5]}]) == [
        ("q", [("a", None, 0.5)], [])
    ]


def test_a_row_without_what_the_first_has_is_named(tmp_path: Path) -> None:
    rows: Rows = [{"anchor": "q", "positive": "a"}, {"anchor": "r", "psitive": "b"}]
    path = write_jsonl(tmp_path / "x.jsonl", rows)
    with pytest.raises(InputError, match=r'x\.jsonl:2:1: the row has no "positive"'):
        read_file(path)
    path = write_jsonl(tmp_path / "y.jsonl", [{"anchor": "q", "positive": ["a"], "label": [1, 2]}])
    with pytest.raises(InputError, match='"label" has 2 elements for 1 texts'):
        read_file(path)
    path = write_jsonl(tmp_path / "z.jsonl", [{"anchor": "q", "psitive": "a"}])
    with pytest.raises(BadInputError, match="did you mean 'positive' by 'psitive'"):
        read_file(path, format="sentence-transformers")


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "csv"])
def test_the_suffix_names_the_kind_of_table(tmp_path: Path, suffix: str) -> None:
    rows: Rows = [{"anchor": name, "positive": "a,\n", "negative": '"b"'} for name in "qr"]
    source = write_jsonl(tmp_path / "in.jsonl", rows)
    target = tmp_path / f"out.{suffix}"
    convert(InputConfig(data=str(source)), target, "sentence-transformers")
    expected = questions_of(read_file(source))
    assert questions_of(read_file(target)) == expected
    assert questions_of(read_file(target, format="sentence-transformers")) == expected
    if suffix != "jsonl":
        assert format_of(target, None) == suffix
    kind = {"jsonl": "json"}.get(suffix, suffix)
    cache = str(tmp_path / "cache")
    whole = datasets.load_dataset(kind, data_files=str(target), split="train", cache_dir=cache)
    assert whole.column_names == ["anchor", "positive", "negative_1"]
    assert list(whole["positive"]) == ["a,\n"] * 2
