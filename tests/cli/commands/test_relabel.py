"""`stage2 relabel`: the formats that it writes, what it says, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import stage2 as library
from stage2.data.judgements import row_of
from stage2.data.tables import made_id
from stage2.utils import files
from stage2.utils.errors import BadInputError
from tests.beir import one_file
from tests.conftest import Stage2, read_jsonl, tree
from tests.small import write_jsonl


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return one_file(tmp_path / "data")


def qrels(folder: Path) -> dict[tuple[str, str], str]:
    (path,) = (folder / "qrels").iterdir()
    rows = [line.split("\t") for line in path.read_text("utf-8").splitlines()[1:]]
    return {(question, chunk): grade for question, chunk, grade in rows}


def judge(path: Path, *rows: tuple[str, str, str, str]) -> Path:
    names = ("question_id", "chunk_id", "judgement", "by")
    return write_jsonl(path, [dict(zip(names, row, strict=True)) for row in rows])


def test_a_folder_is_mended_in_its_own_format(stage2: Stage2, data: Path, tmp_path: Path) -> None:
    before = qrels(data)
    (question, chunk), *_ = before
    other = next(row["_id"] for row in read_jsonl(data / "corpus.jsonl")
                 if (question, row["_id"]) not in before)  # fmt: skip
    ada = judge(tmp_path / "a.jsonl", (question, chunk, "not", "Ada"))
    bob = judge(tmp_path / "b.jsonl", (question, other, "answer", "Bob"))
    out = tmp_path / "mended"
    call = ["relabel", "--judgements", ada, "--judgements", bob, "--data", data]
    told = stage2(*call, "--output", out, "--json")
    assert json.loads(told.stdout)["result"]["relabelled"] | {
        "answers_added": 1, "answers_dropped": 1, "unanswered": 0,
    } == json.loads(told.stdout)["result"]["relabelled"]  # fmt: skip
    assert qrels(out) == {**before, (question, chunk): "0", (question, other): "1"}
    for name in ("corpus.jsonl", "queries.jsonl"):
        assert [row["_id"] for row in read_jsonl(out / name)] == [
            row["_id"] for row in read_jsonl(data / name)
        ]
    changes = read_jsonl(Path(f"{out}.{files.RELABELLED}"))
    assert [(row["chunk_id"], row["before"], row["after"]) for row in changes] == [
        (chunk, "answer", "negative"), (other, None, "answer"),
    ]  # fmt: skip
    assert "is there already" in stage2(*call, "--output", out, exit_code=2).stderr


def test_a_question_may_lose_its_last_answer_and_it_is_said(
    stage2: Stage2, data: Path, tmp_path: Path
) -> None:
    question = next(iter(qrels(data)))[0]
    rows = [(*pair, "not", "Ada") for pair in qrels(data) if pair[0] == question]
    told = stage2("relabel", "--judgements", judge(tmp_path / "j.jsonl", *rows), "--data", data,
                  "--output", tmp_path / "new")  # fmt: skip
    assert "1 questions that have lost their last answer" in told.stderr


def refused(stage2: Stage2, data: Path, tmp_path: Path, *flags: Any) -> str:
    before = tree(tmp_path)
    told = stage2("relabel", "--data", data, "--output", tmp_path / "new", *flags, exit_code=2)
    assert tree(tmp_path) == before
    return told.stderr


def test_what_cannot_be_meant_is_refused_and_changes_nothing(
    stage2: Stage2, data: Path, tmp_path: Path
) -> None:
    pair = next(iter(qrels(data)))
    good = judge(tmp_path / "j.jsonl", (*pair, "unsure", "Ada"), ("q?", pair[1], "not", "Ada"))
    flags = ["--judgements", good]
    assert f"{good}:2:17: the data have no question 'q?'" in refused(stage2, data, tmp_path, *flags)
    skip = [*flags, "--on-error", "skip"]
    assert "--who Eve: has judged nothing" in refused(stage2, data, tmp_path, *skip, "--who", "Eve")
    assert "only 1 judges count" in refused(stage2, data, tmp_path, *skip, "--agree", 2)
    assert "no such file" in refused(stage2, data, tmp_path, "--judgements", tmp_path / "no.jsonl")
    done = stage2("relabel", "--data", data, "--output", f"{tmp_path / 'new'}/", *skip)
    assert not list((tmp_path / "new").glob(".*"))
    assert "the judgements change no label" in done.stderr
    (row,) = read_jsonl(tmp_path / f"new.{files.REJECTED}")
    assert (row["line"], row["reason"]) == (2, "unknown_question")
    nothing = stage2("relabel", *flags, "--output", tmp_path / "x", exit_code=2)
    assert "expected --data PATH, or --qa FILE and --chunks FILE" in nothing.stderr


def test_questions_and_chunks_become_a_folder(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path
) -> None:
    judged = judge(tmp_path / "j.jsonl", ("q00", "c05", "answer", "Ada"))
    stage2("relabel", "--judgements", judged, "--qa", corpus["qa"], "--chunks", corpus["chunks"],
           "--output", tmp_path / "new")  # fmt: skip
    found = qrels(tmp_path / "new")
    assert len(found) == 13
    assert found["q00", "c05"] == "1"


def test_the_function_of_the_library(data: Path, tmp_path: Path) -> None:
    pair = next(iter(qrels(data)))
    judged = judge(tmp_path / "j.jsonl", (*pair, "answer", "Ada"))
    counts = library.relabel(judged, tmp_path / "new", data=data)
    assert {name: count for name, count in counts.items() if count} == {"agreeing": 1}
    with pytest.raises(BadInputError, match="agree is 0"):
        library.relabel([judged], tmp_path / "newer", agree=0, data=data)
    with pytest.raises(TypeError, match="no keyword 'dta'"):
        library.relabel(judged, tmp_path / "newer", dta=data)  # type: ignore[call-arg]


def test_data_in_memory_are_relabelled(corpus: dict[str, Path], tmp_path: Path) -> None:
    judged = judge(tmp_path / "j.jsonl", ("q00", "c05", "answer", "Ada"))
    data = library.Dataset.load(corpus["qa"], corpus["chunks"], corpus["entities"])
    counts = library.relabel(judged, tmp_path / "new", data=data)
    assert counts == {"answers_added": 1}
    paths = {name: corpus[name] for name in ("qa", "chunks")}
    assert library.relabel(judged, tmp_path / "same", **paths) == counts
    assert tree(tmp_path / "new") == tree(tmp_path / "same")
    table = pa.table({"question": ["who?"], "positive": ["he"], "negative": ["she"]})
    row = row_of("made anew", "who?", made_id("", "she"), "answer", "Ada")
    judged = write_jsonl(tmp_path / "k.jsonl", [row])
    counts = library.relabel(judged, tmp_path / "t.jsonl", to="flagembedding", data=table)
    assert counts == {"answers_added": 1}
    (mended,) = read_jsonl(tmp_path / "t.jsonl")
    assert sorted(mended["pos"]) == ["he", "she"]
