"""TREC: qrels without a header, topics in both forms, and a corpus."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytrec_eval

from stage2._core import InputError
from stage2.config import InputConfig, Settings
from stage2.data.conversion import convert
from stage2.data.formats import read
from stage2.utils.errors import BadInputError
from stage2.variants import format_of
from tests.beir import one_file
from tests.formats import questions_of, read_file
from tests.small import write_jsonl

QRELS = "301 0 a 2\n301\t0\tb\t0\n302 0 b -2\n302 0 a 1\n302 0 c 3\n"
TOPICS = "301\tinternational crime\n302\tpolio?\n303\tnobody judged\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "trec"
    folder.mkdir()
    rows = [{"_id": one, "title": "", "text": f"text {one}"} for one in "abcd"]
    write_jsonl(folder / "corpus.jsonl", rows)
    (folder / "topics.txt").write_text(TOPICS)
    (folder / "qrels.txt").write_text(QRELS)
    return folder


def test_grades_of_zero_and_less_are_judgements_and_no_answers(folder: Path) -> None:
    assert format_of(folder, None) == "trec"
    found = read_file(folder)
    grades = [
        [(one.chunk.id, one.grade) for one in (*question.relevant, *question.negatives)]
        for question in questions_of(found)
    ]
    assert grades == [[("a", 2), ("b", 0)], [("c", 3), ("a", 1), ("b", -2)], []]
    contents = read(Settings(data=str(folder)), False)
    assert contents.dataset is not None
    assert contents.samples is None
    assert list(contents.dataset.qa_ids) == ["301", "302"]
    assert contents.dataset.grades is not None
    assert contents.dataset.grades.tolist() == [2, 3, 1]
    assert contents.notes == (
        f"{folder}: 1 of 3 questions have no relevant chunk; they are left out",
    )


def test_topics_may_be_in_the_form_of_trec(folder: Path) -> None:
    (folder / "topics.txt").write_text(
        "<top>\n<num> Number: 301\n<title> international\n  crime\n<desc> Description:\nmore\n"
        "</top>\n\n<top>\n<num>302</num>\n<title>Topic: polio?</title>\n</top>\n"
        "<top>\n<num> 303 <title>nobody judged\n</top>\n"
    )
    by_tags = questions_of(read_file(folder))
    (folder / "topics.txt").write_text(TOPICS)
    assert by_tags == questions_of(read_file(folder))
    (folder / "topics.txt").write_text("<top>\n<title>x\n</top>\n")
    with pytest.raises(InputError, match=r"topics.txt:1:1: the topic has no id"):
        read_file(folder)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("301 0 a", "there is no chunk '0'"),
        ("301 a", r"qrels.txt:6:1: the line has 2 columns; expected a question's id"),
        ("301 0 a 1.5", "the grade is '1.5'; expected a whole number"),
        ("9 0 a 1", "there is no question '9'"),
        ("301 0 z 1", "there is no chunk 'z'"),
    ],
)
def test_a_wrong_judgement_is_named_by_its_line(folder: Path, line: str, message: str) -> None:
    (folder / "qrels.txt").write_text(f"{QRELS}{line}\n")
    with pytest.raises(InputError, match=message):
        read_file(folder)
    assert [row.line for row in read_file(folder, on_error="skip").rejected] == [6]


def test_several_files_of_judgements_are_sides(folder: Path) -> None:
    (folder / "qrels.txt").rename(folder / "qrels.train.txt")
    (folder / "qrels.test.txt").write_text("303 0 d 1\n")
    assert [one.side for one in questions_of(read_file(folder))] == ["train", "train", "test"]
    (folder / "qrels.test.txt").write_text("301 0 d 1\n")
    with pytest.raises(InputError, match="the question '301' is judged in another file too"):
        read_file(folder)
    (folder / "qrels.test.txt").rename(folder / "qrels.more.txt")
    with pytest.raises(BadInputError, match="do not tell a side each"):
        read_file(folder)


def test_the_qrels_are_those_that_trec_eval_reads(tmp_path: Path) -> None:
    source = one_file(tmp_path)
    convert(InputConfig(data=str(source)), tmp_path / "out", "trec")
    with (tmp_path / "out" / "qrels.txt").open() as file:
        found = pytrec_eval.parse_qrel(file)
    expected: dict[str, dict[str, int]] = {}
    for question in questions_of(read_file(source)):
        for one in question.relevant:
            grade = int(one.grade or 1)
            expected.setdefault(str(question.id), {})[str(one.chunk.id)] = grade
    assert found == expected
