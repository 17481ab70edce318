"""A table in csv; tests/data/test_delimited.py has its cells and faults."""

from __future__ import annotations

from pathlib import Path

from stage2.config import Settings
from stage2.data.formats import read


def test_pairs_are_a_corpus_of_their_texts(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("anchor,positive\na,x\nb,y\nc,x\n")
    contents = read(Settings(data=str(path)), False)
    assert contents.dataset is not None
    assert list(contents.dataset.chunk_texts) == ["x", "y"]
    assert contents.dataset.relevant.tolist() == [0, 1, 0]
    assert contents.notes == (f"{path}: questions from 'anchor', positives from 'positive'",)
