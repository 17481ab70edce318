"""Split files: the ids of each side, and what is no such file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stage2.data.split_file import read_split_file
from stage2.utils.errors import BadInputError


def test_the_sides_are_lists_of_ids_and_what_was_trained_on_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    split = {"train": ["b", 7], "dev": ["a"], "test": [], "trained_on": ["b"]}
    path.write_text(json.dumps(split), encoding="utf-8-sig")
    assert read_split_file(path).sides == {"train": ["b", "7"], "dev": ["a"], "test": []}


def test_chunks_that_do_not_count_are_named_by_side(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    path.write_text(json.dumps({**GOOD, "seen_chunks": {"test": ["c1", 7]}}))
    assert read_split_file(path).seen_chunks == {"test": ["c1", "7"]}
    path.write_text(json.dumps(GOOD))
    assert read_split_file(path).seen_chunks == {}


GOOD: dict[str, Any] = {"train": ["a"], "dev": ["b"], "test": ["c"]}

WRONG = [
    (b"", ":1:1: not JSON"),
    (b'{"train": [\n1,,2]}', ":2:3: not JSON"),
    (b"\xff", "not UTF-8 at byte 0"),
    (b"[" * 100_000, "not read as JSON"),
    (b'{"train": [' + b"9" * 5000 + b"]}", "not read as JSON"),
    (b'{"train": [NaN], "dev": [], "test": []}', "train[0] is NaN; expected the id of a question"),
    (b'{"train": [], "train": [], "dev": [], "test": []}', "'train' is there twice"),
    ([GOOD], "is ["),
    ("train", 'is "train"; expected an object with train, dev and test'),
    ({"train": [], "dev": []}, "has no 'test'; expected an object"),
    ({**GOOD, "valid": []}, "'valid' is no side"),
    ({**GOOD, "train": "a"}, "'train' is \"a\"; expected a list of question ids"),
    ({**GOOD, "train": {"a": 1}}, "'train' is an object; expected a list"),
    ({**GOOD, "train": None}, "'train' is null; expected a list"),
    ({**GOOD, "train": ["a", 1.5]}, "train[1] is 1.5; expected the id of a question"),
    ({**GOOD, "train": [True]}, "train[0] is true"),
    ({**GOOD, "train": [""]}, 'train[0] is ""'),
    ({**GOOD, "train": [["a"]]}, 'train[0] is ["a"]'),
    ({**GOOD, "dev": ["a"]}, "the question 'a' is on two sides, train and dev; expected each on"),
    ({**GOOD, "dev": [7, "7"]}, "dev names the question '7' twice"),
    ({**GOOD, "seen_chunks": ["c"]}, "'seen_chunks' is [\"c\"]; expected an object with dev and"),
    ({**GOOD, "seen_chunks": {"train": []}}, "'train' is no side; expected an object with dev and"),
    ({**GOOD, "seen_chunks": {"dev": 1}}, "'seen_chunks.dev' is 1; expected a list of chunk ids"),
    ({**GOOD, "seen_chunks": {"dev": [None]}}, "dev[0] is null; expected the id of a chunk"),
]


@pytest.mark.parametrize(("content", "said"), WRONG, ids=range(len(WRONG)))
def test_what_is_no_split_is_refused_by_its_place(tmp_path: Path, content: Any, said: str) -> None:
    path = tmp_path / "split.json"
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    path.write_bytes(raw)
    with pytest.raises(BadInputError) as caught:
        read_split_file(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)
