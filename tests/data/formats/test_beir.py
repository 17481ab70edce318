"""BEIR folders: what is read of them, and what is refused."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from stage2._core import InputError
from stage2.config import Settings
from stage2.data.formats.beir import read
from stage2.utils.errors import BadInputError
from tests.beir import HEADER, one_file, three_files, write_beir


def settings_of(folder: Path, **more: str) -> Settings:
    return Settings(data=str(folder), **more)  # type: ignore[arg-type]


def test_one_file_of_judgements_tells_no_sides(tmp_path: Path) -> None:
    contents = read(settings_of(one_file(tmp_path)), False)
    assert contents.dataset is not None
    assert contents.dataset.num_qa == 14
    assert contents.dataset.chunk_text(1).startswith("count marseilles ")
    assert contents.sides is None
    assert contents.judgements == ("qrels/all.tsv",)
    contents = read(settings_of(write_beir(tmp_path / "test", {"test.tsv": range(5)})), True)
    assert contents.sides is None


def test_a_title_may_be_left_out(tmp_path: Path) -> None:
    dataset = read(settings_of(one_file(tmp_path), title="ignore"), False).dataset
    assert dataset is not None
    assert not dataset.chunk_text(1).startswith("count marseilles ")
    assert dataset.chunk_titles[1] == "count"


def test_several_files_tell_the_sides_by_their_names(tmp_path: Path) -> None:
    contents = read(settings_of(three_files(tmp_path)), False)
    assert contents.sides == {
        "train": [f"q{i:02}" for i in range(7)],
        "dev": [f"q{i:02}" for i in range(7, 10)],
        "test": [f"q{i:02}" for i in range(10, 14)],
    }
    assert contents.judgements == ("qrels/train.tsv", "qrels/valid.tsv", "qrels/test.tsv")
    folder = write_beir(tmp_path / "two", {"train.tsv": range(5), "test.tsv": range(5, 9)})
    assert (read(settings_of(folder), False).sides or {}).keys() == {"train", "test"}


def test_packed_files_are_read(tmp_path: Path) -> None:
    folder = three_files(tmp_path)
    for path in [*folder.glob("*.jsonl"), folder / "qrels" / "test.tsv"]:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    contents = read(settings_of(folder), False)
    assert contents.dataset is not None
    assert contents.dataset.num_qa == 14
    assert contents.judgements[-1] == "qrels/test.tsv.gz"


def test_entities_come_along(tmp_path: Path, corpus: dict[str, Path]) -> None:
    contents = read(settings_of(one_file(tmp_path), entities=str(corpus["entities"])), False)
    assert contents.annotations is not None
    assert len(contents.annotations) == 21


def test_what_is_no_such_folder_is_refused(tmp_path: Path) -> None:
    folder = three_files(tmp_path)
    with pytest.raises(BadInputError, match=r"corpus.jsonl: is no folder; expected a BEIR folder"):
        read(settings_of(folder / "corpus.jsonl"), False)
    copy = folder / "corpus.jsonl.gz"
    copy.write_bytes(gzip.compress((folder / "corpus.jsonl").read_bytes()))
    with pytest.raises(BadInputError, match=r"has corpus.jsonl and corpus.jsonl.gz; expected one"):
        read(settings_of(folder), False)
    copy.unlink()
    (folder / "corpus.jsonl").rename(tmp_path / "corpus.jsonl")
    with pytest.raises(BadInputError, match=r"has no corpus.jsonl; expected a BEIR folder"):
        read(settings_of(folder), False)
    (tmp_path / "corpus.jsonl").rename(folder / "corpus.jsonl")
    for path in (folder / "qrels").iterdir():
        path.unlink()
    with pytest.raises(BadInputError, match=r"has no qrels/\*.tsv; expected a BEIR folder"):
        read(settings_of(folder), False)


def test_of_several_files_each_tells_a_side_of_its_own(tmp_path: Path) -> None:
    folder = three_files(tmp_path)
    other = folder / "qrels" / "more.tsv"
    other.write_text(f"{HEADER}q14\tc00\t1\n")
    with pytest.raises(
        BadInputError, match=r"more.tsv: is one of 4 files .* expected train, training, dev"
    ):
        read(settings_of(folder), False)
    other.rename(folder / "qrels" / "dev.tsv")
    with pytest.raises(BadInputError, match=r"dev.tsv and qrels/valid.tsv are both the dev side"):
        read(settings_of(folder), False)


def test_a_question_on_two_sides_is_named_by_its_line(tmp_path: Path) -> None:
    folder = three_files(tmp_path)
    with (folder / "qrels" / "test.tsv").open("a") as file:
        file.write("q00\tc05\t1\n")
    with pytest.raises(InputError, match=r'test.tsv:6:1: the question "q00" is judged in .*train'):
        read(settings_of(folder), False)
    contents = read(settings_of(folder, on_error="skip"), False)
    assert contents.dataset is not None
    assert contents.dataset.rejected_counts == {"on_two_sides": 1}


def test_real_data_is_what_its_files_say(medquad: Path) -> None:
    dataset = read(settings_of(medquad), False).dataset
    assert dataset is not None
    assert (dataset.num_qa, dataset.num_chunks, len(dataset.relevant)) == (1770, 2097, 2143)
    lines = (medquad / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    chunks = [json.loads(line) for line in lines]
    texts = [f"{chunk['title']} {chunk['text']}".lstrip(" ") for chunk in chunks]
    assert list(dataset.chunk_texts) == texts
    expected = defaultdict(list)
    rows = (medquad / "qrels" / "all.tsv").read_text(encoding="utf-8").splitlines()[1:]
    for question, chunk, _ in (row.split("\t") for row in rows):
        expected[question].append(chunk)
    found = {
        qa_id: dataset.chunk_ids.take(dataset.relevant[start:end])
        for qa_id, (start, end) in zip(
            dataset.qa_ids, pairwise(dataset.relevant_offsets), strict=True
        )
    }
    assert found == expected
