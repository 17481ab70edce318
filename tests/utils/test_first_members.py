"""The members by which JSON files are told apart."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from stage2.utils.first_members import first_members
from tests.files import zstd


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('{"a": 1, "b": {"c": [{"d": 2}]}}\n{"e": 1}', "ab"),
        ('\ufeff [\n{"a": "x, \\"z\\": 1"}, {"b": 1}]', "a"),
        ('{"a": [1, 2', "a"),
        ('{"a": {"b": 1}, "c', "a"),
        ("a,b\n1,2", ""),
        ("[1, 2]", ""),
        ("", ""),
    ],
)
def test_they_are_those_of_the_first_object(tmp_path: Path, text: str, names: str) -> None:
    content = text.encode()
    for number, packed in enumerate((content, gzip.compress(content), zstd(content))):
        path = tmp_path / f"{number}"
        path.write_bytes(packed)
        assert first_members(path) == {*names}


def test_what_cannot_be_read_has_none_and_a_changed_file_is_read_again(tmp_path: Path) -> None:
    assert first_members(tmp_path) == first_members(tmp_path / "none") == frozenset()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert first_members(pipe) == frozenset()
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(b'{"a": 1}')[:-12])
    assert first_members(path) == frozenset()
    path.write_text('{"a": 1}')
    assert first_members(path) == {"a"}
    path.write_text('{"bcd": 1}')
    assert first_members(path) == {"bcd"}
