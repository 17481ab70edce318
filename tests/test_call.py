"""The data that a call names: its format, its files, its sides."""

from __future__ import annotations

from pathlib import Path

import pytest

from stage2.call import (
    Call,
    data_files,
    guard_files,
    guards_named,
    names_of_data,
    reads_data,
)
from stage2.config import Settings
from stage2.utils.errors import BadInputError
from tests.beir import one_file, three_files


def test_a_call_knows_whether_its_data_has_a_corpus(tmp_path: Path) -> None:
    assert Call(Settings()).has_corpus
    assert Call(Settings(data=str(one_file(tmp_path)))).has_corpus
    assert not Call(Settings(data=str(tmp_path / "samples.jsonl"))).has_corpus
    # Its format is not known: it is refused when it is read, and not for its flags.
    assert Call(Settings(data=str(tmp_path))).has_corpus
    assert not Call(Settings(data=str(tmp_path), format="samples")).has_corpus


def test_sides_are_given_by_a_file_or_by_the_names_of_files(tmp_path: Path) -> None:
    everything = {"train", "dev", "test"}
    assert Call(Settings()).given_sides == set()
    assert Call(Settings(split_file="split.json")).given_sides == everything
    assert Call(Settings(data=str(one_file(tmp_path)))).given_sides == set()
    folder = str(three_files(tmp_path / "other"))
    assert Call(Settings(data=folder)).given_sides == everything
    assert Call(Settings(data=folder, split="none")).given_sides == set()
    known = Call(Settings(), data_files=("qrels/train.tsv", "qrels/test.tsv", "corpus.jsonl"))
    assert known.given_sides == {"train", "test"}


def test_files_of_data_are_known_by_their_names(tmp_path: Path) -> None:
    folder = one_file(tmp_path)
    found = data_files(Settings(data=str(folder)))
    assert list(found) == ["data/corpus.jsonl", "data/qrels/all.tsv", "data/queries.jsonl"]
    assert found["data/qrels/all.tsv"] == folder / "qrels" / "all.tsv"
    assert names_of_data(found) == ("corpus.jsonl", "qrels/all.tsv", "queries.jsonl")
    assert data_files(Settings(data="a.jsonl")) == {"data": Path("a.jsonl")}
    assert data_files(Settings()) == {}
    assert reads_data(found)
    assert reads_data(["seed", "qa"])
    assert not reads_data(["seed", "chunks", "backbone"])


def test_guards_are_named_with_commas_unless_a_path_has_one(tmp_path: Path) -> None:
    assert guards_named(Settings()) == []
    assert guards_named(Settings(guard="a, builtin")) == ["a", "builtin"]
    odd = tmp_path / "one,two.jsonl"
    odd.touch()
    assert guards_named(Settings(guard=str(odd))) == [str(odd)]
    # So it is beside others, whichever flag they came with.
    assert guards_named(Settings(guard=f"a,{odd},builtin")) == ["a", str(odd), "builtin"]
    found = guard_files(Settings(guard=f"{odd}"))
    assert found == {"guard_1/data": odd}
    found = guard_files(Settings(guard="builtin"))
    assert found.keys() == {"guard_1/qa", "guard_1/chunks"}
    assert all(path.is_file() for path in found.values())
    with pytest.raises(BadInputError, match=r"the 2\. of its names is empty"):
        guard_files(Settings(guard="builtin,"))
