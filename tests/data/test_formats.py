"""Formats: a module each, told by what is there or by --format."""

from __future__ import annotations

from pathlib import Path

import pytest

from stage2._core import Dataset
from stage2.config import Settings
from stage2.data.formats import read
from stage2.utils.errors import BadInputError
from tests.beir import one_file


def test_a_data_set_is_read_in_the_format_that_it_has(
    tmp_path: Path, corpus: dict[str, Path]
) -> None:
    path = tmp_path / "samples.jsonl"
    Dataset.load(corpus["qa"], corpus["chunks"]).construct(3, 0).write_jsonl(path)
    samples = read(Settings(data=str(path)), False)
    beir = read(Settings(data=str(one_file(tmp_path))), False)
    assert (samples.dataset is None, beir.dataset is None) == (True, False)
    named = read(Settings(data=str(path), format="samples"), False)
    assert named.samples is not None


def test_what_has_no_format_is_refused_and_a_format_that_is_named_says_why(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text("")
    with pytest.raises(BadInputError, match="no format that is known; expected constructed"):
        read(Settings(data=str(tmp_path)), False)
    with pytest.raises(BadInputError, match=r"has no queries.jsonl; expected a BEIR folder"):
        read(Settings(data=str(tmp_path), format="beir"), False)
