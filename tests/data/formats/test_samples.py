"""Samples that are constructed already, as a data set."""

from __future__ import annotations

from pathlib import Path

from stage2._core import Dataset
from stage2.config import Settings
from stage2.data.formats.samples import read


def test_samples_come_with_their_annotations(tmp_path: Path, corpus: dict[str, Path]) -> None:
    path = tmp_path / "samples.jsonl"
    Dataset.load(corpus["qa"], corpus["chunks"]).construct(3, 0).write_jsonl(path)
    contents = read(Settings(data=str(path), entities=str(corpus["entities"])), False)
    assert contents.samples is not None
    assert contents.annotations is not None
    assert (len(contents.samples), len(contents.annotations)) == (12, 21)
    assert (contents.dataset, contents.sides, contents.judgements) == (None, None, ())
    assert read(Settings(data=str(path)), False).annotations is None
