"""Runs and qrels: what is read, and what is refused with file and line."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import pytest

from stage2._core import InputError
from stage2.data.trec import read_qrels, read_run
from stage2.utils.errors import BadInputError
from tests.files import FORMS, zstd


@pytest.mark.parametrize("form", FORMS)
def test_a_run_is_read_with_any_white_space_and_compressed(tmp_path: Path, form: str) -> None:
    text = "\ufeffq1 Q0 d1 1 2.5 tag\r\n\nq1\tQ0\td2\t2\t1e0\ttag\nq2 Q0 d1 1 -3 tag\n"
    (tmp_path / "run").write_bytes(FORMS[form](text.encode()))
    run = read_run(tmp_path / "run")
    assert run.name == "tag"
    found = {name: dict(zip(one.documents, one.scores.tolist(), strict=True))
             for name, one in run.questions.items()}  # fmt: skip
    assert found == {"q1": {"d1": 2.5, "d2": 1.0}, "q2": {"d1": -3.0}}


def test_ranks_against_the_scores_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "run").write_text("q Q0 a 1 1 t\nq Q0 b 2 2 t\n")
    with caplog.at_level(logging.WARNING, "stage2"):
        read_run(tmp_path / "run")
    assert "of 1 questions, such as 'q', the ranks contradict the scores" in caplog.text


BAD_RUNS = {
    "q Q0 d 1 2.5": ":1: has 5 fields; expected 6",
    "q Q0 d 1 2.5 t\nq Q0 e 2 nan t": ":2: the score is 'nan'; expected a number",
    "q Q0 d 1 1e39 t": "the score is '1e39'",
    "q Q0 d 1 1_0 t": "the score is '1_0'",
    "q Q0 d 1 2 t\nq Q0 d 2 1 t": "the document 'd' stands twice under the question 'q'",
    "\n": "has no line",
}


@pytest.mark.parametrize("text", BAD_RUNS)
def test_a_bad_run_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "run").write_text(text)
    with pytest.raises(BadInputError, match=r"run:?.*") as refused:
        read_run(tmp_path / "run")
    assert BAD_RUNS[text] in str(refused.value)


def test_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes.zst").write_bytes(zstd(b"q Q0 d 1 2 t\nq Q0 \xff 1 2 t\n"))
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"q Q0 d 1 2 t\n")[:-9])
    (tmp_path / "cut.zst").write_bytes(zstd(b"q Q0 d 1 2 t\n" * 9)[:-9])
    for name, said in (
        ("bytes.zst", r"bytes\.zst:2: not UTF-8 at byte 5"),
        ("cut.gz", r"cut\.gz:2:1: the gzip data is cut off"),
        ("cut.zst", r"cut\.zst:9:5: the zstd data is cut off"),
    ):
        with pytest.raises(ValueError, match=said):
            read_run(tmp_path / name)
    with pytest.raises(BadInputError, match="is a folder; expected a file"):
        read_run(tmp_path)


@pytest.mark.parametrize("form", ["gzip", "zstd"])
def test_a_compressed_file_holds_no_more_than_it_may(tmp_path: Path, form: str) -> None:
    for read, line in ((read_run, b"q Q0 d 1 2 t\n"), (read_qrels, b"q 0 d 1\n")):
        path = tmp_path / "packed"
        path.write_bytes(FORMS[form](line))
        read(path, len(line))
        with pytest.raises(InputError, match=r"packed:1:1: .* more than 3 bytes.*--max-decomp"):
            read(path, 3)


def test_qrels_are_trecs_or_beirs(tmp_path: Path) -> None:
    (tmp_path / "trec").write_text("q 0 d 2\nq 0 e -1\n")
    (tmp_path / "beir").write_text("query-id\tcorpus-id\tscore\nq\td\t2\n")
    assert read_qrels(tmp_path / "trec") == {"q": {"d": 2, "e": -1}}
    assert read_qrels(tmp_path / "beir") == {"q": {"d": 2}}


BAD_QRELS = {
    "q 0 d": ":1: has 3 fields; expected 4",
    "q 0 d 1.5": "the relevance is '1.5'; expected a whole number",
    "q 0 d 1\nq 0 d 1": ":2: the document 'd' is judged twice",
    "": "has no judgement",
}


@pytest.mark.parametrize("text", BAD_QRELS)
def test_bad_qrels_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "qrels").write_text(text)
    with pytest.raises(BadInputError) as refused:
        read_qrels(tmp_path / "qrels")
    assert BAD_QRELS[text] in str(refused.value)
