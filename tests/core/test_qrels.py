"""Questions, chunks and judgements that stand apart: BEIR's files, and what is wrong with them."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from stage2._core import Dataset, InputError, Samples, load_qrels
from tests import reference
from tests.core.test_parse import damaged, jsonl_file, reasons
from tests.files import FORMS, jsonl

files = settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])

HEADER = b"query-id\tcorpus-id\tscore\n"
QUERIES = [{"_id": f"q{i}", "text": f"question {i}?"} for i in range(4)]
CORPUS = [{"_id": f"c{i}", "title": "", "text": f"the text of chunk {i}"} for i in range(8)]


def load(
    folder: Path,
    *qrels: bytes,
    queries: list[Any] = QUERIES,
    corpus: list[Any] = CORPUS,
    **how: Any,
) -> tuple[Dataset, list[int]]:
    (folder / "queries.jsonl").write_bytes(jsonl(queries))
    (folder / "corpus.jsonl").write_bytes(jsonl(corpus))
    paths = []
    for number, content in enumerate(qrels):
        paths.append(folder / f"{number}.tsv")
        paths[-1].write_bytes(content)
    dataset, judged_in = load_qrels(folder / "queries.jsonl", folder / "corpus.jsonl", paths, **how)
    assert judged_in.dtype == np.int64
    return dataset, judged_in.tolist()


def relevant(dataset: Dataset) -> dict[str, list[str]]:
    """The ids of each question's ground truths."""
    starts = dataset.relevant_offsets
    return {
        qa_id: dataset.chunk_ids.take(dataset.relevant[a:b])
        for qa_id, (a, b) in zip(dataset.qa_ids, itertools.pairwise(starts), strict=True)
    }


def test_judgements_are_ground_truths_the_highest_grade_first(tmp_path: Path):
    qrels = HEADER + b"q1\tc3\t1\nq0\tc1\t0\nq1\tc2\t2\nq3\tc0\t1\nq1\tc5\t1\nq2\tc4\t0\n"
    dataset, judged_in = load(tmp_path, qrels)
    assert relevant(dataset) == {"q1": ["c2", "c3", "c5"], "q3": ["c0"]}
    assert dataset.grades is not None
    assert dataset.grades.tolist() == [2, 1, 1, 1]
    assert judged_in == [0, 0]
    assert list(dataset.questions) == ["question 1?", "question 3?"]
    assert list(dataset.answers) == ["", ""]
    assert any("2 of 4 questions have no relevant chunk" in text for text in dataset.warnings)
    assert any("2 chunks have a grade of 0 or less" in text for text in dataset.warnings)
    assert not any("names no columns" in text for text in dataset.warnings)


def test_each_question_has_the_number_of_its_file(tmp_path: Path):
    dataset, judged_in = load(
        tmp_path, HEADER + b"q2\tc1\t1\n", b"q0\tc0\t1\nq1\tc0\t1\n", HEADER + b"q3\tc2\t1\n"
    )
    assert list(dataset.qa_ids) == ["q0", "q1", "q2", "q3"]
    assert judged_in == [1, 1, 0, 2]
    assert dataset.grades is None
    told = [text for text in dataset.warnings if "names no columns" in text]
    assert len(told) == 1
    assert told[0].startswith(str(tmp_path / "1.tsv"))


def test_titles_stand_before_texts_unless_they_are_left_out(tmp_path: Path):
    corpus = [
        {"_id": "c0", "title": 'A "title"', "text": "and\ta text"},
        {"_id": "c1", "title": "", "text": "text"},
        {"_id": "c2", "title": " ", "text": "text 2"},
        {"_id": "c3", "title": None, "text": "text 3"},
        {"_id": "c4", "text": "text 4"},
        {"_id": "c5", "title": "only a title", "text": ""},
    ]
    qrels = HEADER + b"q0\tc0\t1\nq1\tc5\t1\n"
    dataset, _ = load(tmp_path, qrels, corpus=corpus)
    texts = ['A "title" and\ta text', "text", "text 2", "text 3", "text 4", "only a title"]
    assert list(dataset.chunk_texts) == texts
    assert list(dataset.chunk_titles) == ['A "title"', "", " ", "", "", "only a title"]
    dataset.construct(4).write_jsonl(tmp_path / "samples.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    assert [row["ground_truth_contexts"] for row in rows] == [[texts[0]], [texts[5]]]
    assert rows[0].keys() == {
        "question", "ground_truth_contexts", "negative_contexts", "qa_id", "gt_chunk_id",
        "gt_chunk_ids", "negative_chunk_ids",
    }  # fmt: skip
    with pytest.raises(InputError, match=r'corpus.jsonl:6:\d+: "text" is empty'):
        load(tmp_path, qrels, corpus=corpus, join_titles=False)
    dataset, _ = load(tmp_path, qrels, corpus=[*corpus[:5], CORPUS[5]], join_titles=False)
    assert dataset.chunk_text(0) == "and\ta text"


def test_one_id_may_have_one_title_alone(tmp_path: Path):
    first = {"_id": "c0", "title": "a", "text": "text"}
    qrels = HEADER + b"q0\tc0\t1\n"
    dataset, _ = load(tmp_path, qrels, corpus=[first, first, *CORPUS[1:]])
    assert dataset.num_chunks == 8
    other = {**first, "title": "b"}
    with pytest.raises(InputError, match="given to another text"):
        load(tmp_path, qrels, corpus=[first, other, *CORPUS[1:]])
    dataset, _ = load(tmp_path, qrels, corpus=[first, other, *CORPUS[1:]], join_titles=False)
    assert dataset.num_chunks == 8


def test_what_else_a_question_has_is_written_through(tmp_path: Path):
    queries = [{"_id": 7, "text": "?", "metadata": {"from": "a page"}}]
    dataset, _ = load(tmp_path, b"7\tc0\t1\n", queries=queries)
    dataset.construct(1).write_jsonl(tmp_path / "samples.jsonl")
    [row] = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    assert row["metadata"] == {"from": "a page"}
    assert "_id" not in row
    assert (row["qa_id"], "text" in row) == ("7", False)


def test_questions_of_one_text_have_one_set_of_answers(tmp_path: Path):
    queries = [{"_id": "a", "text": "What?"}, {"_id": "b", "text": "what?"}]
    dataset, judged_in = load(tmp_path, b"a\tc0\t1\n", b"b\tc1\t1\n", queries=queries)
    assert relevant(dataset) == {"a": ["c0", "c1"], "b": ["c1", "c0"]}
    assert (dataset.num_questions, judged_in) == (1, [0, 1])


# What is wrong in the second line of a file whose first is a header, its column and its reason.
WRONG = [
    ("q0\tc0", 1, "wrong_columns", "the line has 2 columns; expected 3"),
    ("q0 0 c0 1", 1, "wrong_columns", "the line has 1 column; expected 3"),
    ("q0\t0\tc0\t1", 1, "wrong_columns", "the line has 4 columns"),
    ("\tc0\t1", 1, "empty_id", "query-id is empty"),
    ("q0\t\t1", 4, "empty_id", "corpus-id is empty"),
    ("q0\tc0\t", 7, "wrong_grade", 'the score is ""; expected a whole number from 0'),
    ("q0\tc0\t-1", 7, "wrong_grade", 'the score is "-1"'),
    ("q0\tc0\t1.5", 7, "wrong_grade", 'the score is "1.5"'),
    ("q0\tc0\t1e0", 7, "wrong_grade", 'the score is "1e0"'),
    ("q0\tc0\t4294967296", 7, "wrong_grade", "to 4294967295"),
    ("q0\tc0\t١", 7, "wrong_grade", "expected a whole number"),
    ("q9\tc0\t1", 1, "unknown_question", 'the question "q9" is not in '),
    ("q0\tc9\t0", 4, "unknown_chunk", 'the chunk "c9" is not in '),
    ("é\tc0\t1", 1, "unknown_question", 'the question "é"'),
]


@pytest.mark.parametrize(("line", "column", "reason", "said"), WRONG, ids=str)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_wrong_line_is_named_by_its_place(
    tmp_path: Path, line: str, column: int, reason: str, said: str, end: str
):
    qrels = HEADER + f"{line}{end}q1\tc1\t1{end}".encode()
    with pytest.raises(InputError) as caught:
        load(tmp_path, qrels)
    error = caught.value
    assert (error.file, error.line, error.column, error.reason) == (
        str(tmp_path / "0.tsv"), 2, column, reason
    )  # fmt: skip
    assert said in str(error)
    dataset, _ = load(tmp_path, qrels, on_error="skip")
    assert list(dataset.qa_ids) == ["q1"]
    assert [(row.line, row.column, row.reason, row.row) for row in dataset.rejected] == [
        (2, column, reason, line)
    ]


def test_a_question_stands_in_one_file_alone(tmp_path: Path):
    qrels = [b"q0\tc0\t1\nq1\tc1\t1\n", b"q2\tc2\t1\nq0\tc1\t0\n"]
    with pytest.raises(InputError, match=r'1.tsv:2:1: the question "q0" is judged in .*0.tsv too'):
        load(tmp_path, *qrels)
    dataset, judged_in = load(tmp_path, *qrels, on_error="skip")
    assert judged_in == [0, 0, 1]
    assert dataset.rejected_counts == {"on_two_sides": 1}


def test_a_line_may_repeat_another_and_not_contradict_it(tmp_path: Path):
    dataset, _ = load(tmp_path, HEADER + b"q0\tc0\t1\nq0\tc0\t1\nq0\tc0\t01\n")
    assert relevant(dataset) == {"q0": ["c0"]}
    assert any("2 lines repeat an earlier one" in text for text in dataset.warnings)
    with pytest.raises(InputError, match=r"0.tsv:3:4: the chunk \"c0\" has been judged otherwise"):
        load(tmp_path, HEADER + b"q0\tc0\t1\nq0\tc0\t2\n")


# Faults of the two other files: which, its rows, the line, the reason.
FAULTS: list[tuple[str, list[Any], int, str]] = [
    ("queries", [{"_id": "q0", "text": ["a", "list"]}], 1, "wrong_type"),
    ("queries", [{"_id": ["q0"], "text": "?"}], 1, "wrong_type"),
    ("queries", [{"_id": None, "text": "?"}], 1, "missing_field"),
    ("queries", [{"_id": "q0", "text": None}], 1, "missing_field"),
    ("queries", [{"_id": "q0", "text": " "}], 1, "empty_question"),
    ("queries", [{"_id": "", "text": "?"}], 1, "empty_id"),
    ("queries", [QUERIES[0], {"_id": "q0", "text": "other"}], 2, "duplicate_qa_id"),
    ("queries", [[QUERIES[0]]], 1, "wrong_type"),
    ("corpus", [{"_id": "c0", "title": ["t"], "text": "t"}], 1, "wrong_type"),
    ("corpus", [{"_id": "c0", "title": "t"}], 1, "missing_field"),
    ("corpus", [{"_id": "c0", "title": "t", "text": None}], 1, "missing_field"),
    ("corpus", [{"_id": "c0", "title": "t", "text": 5}], 1, "wrong_type"),
    ("corpus", [{"_id": "c0", "title": "", "text": ""}], 1, "empty_text"),
    ("corpus", [{"_id": 1.5, "text": "t"}], 1, "wrong_type"),
    ("corpus", [CORPUS[0], {"_id": "c0", "text": "other"}], 2, "duplicate_chunk_id"),
]


@pytest.mark.parametrize(("kind", "rows", "line", "reason"), FAULTS, ids=str)
def test_a_wrong_row_is_named_by_its_place(
    tmp_path: Path, kind: str, rows: list[Any], line: int, reason: str
):
    # A row of which the first value is a list would make the file an array.
    whole = {"queries": [*QUERIES[1:]], "corpus": [*CORPUS[1:]]}
    content: dict[str, Any] = {kind: rows + whole[kind]}
    if rows[0] == [QUERIES[0]]:
        content, line = {kind: whole[kind] + rows}, 4
    with pytest.raises(InputError) as caught:
        load(tmp_path, b"q1\tc1\t1\n", **content)
    error = caught.value
    assert (error.file, error.line, error.reason) == (
        str(tmp_path / f"{kind}.jsonl"), line, reason
    )  # fmt: skip
    dataset, _ = load(tmp_path, b"q1\tc1\t1\n", **content, on_error="skip")
    assert dataset.rejected_counts == {reason: 1}


def test_ids_are_compared_as_texts(tmp_path: Path):
    queries = [{"_id": 7, "text": "seven?"}, {"_id": "8", "text": "eight?"}]
    corpus = [{"_id": 1, "text": "one"}, {"_id": "2", "text": "two"}]
    dataset, _ = load(tmp_path, b"7\t1\t1\n8\t2\t1\n", queries=queries, corpus=corpus)
    assert relevant(dataset) == {"7": ["1"], "8": ["2"]}


@pytest.mark.parametrize(
    ("qrels", "said"),
    [
        (b"", "the file judges nothing"),
        (b"\xef\xbb\xbf\r\n", "the file judges nothing"),
        (HEADER, "the file judges nothing"),
        (b"q0\tc0\t0\n", "no question has a relevant chunk"),
        (b"\xff\xfeq\x000\x00", "this looks like UTF-16 text; expected lines of fields"),
        (b"PAR1 \x00 PAR1", "this looks like a Parquet file; expected lines"),
        (b"q0\tc0\t1\n\xff\tc1\t1\n", ":2:1: the byte 0xff is not UTF-8"),
    ],
)
def test_a_file_without_judgements_is_refused(tmp_path: Path, qrels: bytes, said: str):
    with pytest.raises(InputError) as caught:
        load(tmp_path, qrels)
    assert said in str(caught.value)


def test_a_file_of_wrong_lines_alone_is_refused_though_they_may_be_skipped(tmp_path: Path):
    with pytest.raises(InputError, match="every row of the file was rejected: 2 wrong_grade"):
        load(tmp_path, HEADER + b"q0\tc0\tx\nq1\tc0\ty\n", on_error="skip")
    with pytest.raises(InputError, match=r"1.tsv:1:1: every row of the file was rejected: 1 unkn"):
        load(tmp_path, b"q0\tc0\t1\n", b"q9\tc0\t1\n", on_error="skip")


@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", "\n \t\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_form_of_a_file_is_read(tmp_path: Path, form: str, end: str, mark: str):
    lines = ["query_id\tCorpus-ID\tScore", *(f"q{i % 4}\tc{i}\t{1 + i % 2} " for i in range(8))]
    text = mark + end.join(lines)
    dataset, _ = load(tmp_path, FORMS[form](text.encode()))
    assert not any("names no columns" in warning for warning in dataset.warnings)
    assert relevant(dataset) == {f"q{i}": [f"c{i}", f"c{i + 4}"] for i in range(4)}


def test_a_large_file_is_read_in_order(tmp_path: Path):
    queries = [{"_id": f"q{i}", "text": f"question {i}?"} for i in range(20_000)]
    corpus = [{"_id": f"c{i}", "text": f"chunk {i}"} for i in range(500)]
    lines = [f"q{i}\tc{i * 7 % 500}\t1\n" for i in range(20_000)]
    lines[15_000] = "q15000\tc0\tno\n"
    dataset, _ = load(
        tmp_path, "".join(lines).encode(), queries=queries, corpus=corpus, on_error="skip"
    )
    kept = [i for i in range(20_000) if i != 15_000]
    assert list(dataset.qa_ids) == [f"q{i}" for i in kept]
    assert dataset.relevant.tolist() == [i * 7 % 500 for i in kept]
    assert [(row.line, row.column) for row in dataset.rejected] == [(15_001, 11)]


IDS = st.sampled_from(["q0", "q1", "q2", "q3", "q9", "", "é"])
CHUNKS = st.sampled_from(["c0", "c1", "c2", "c9", "", "日"])
GRADES = st.sampled_from(["0", "1", "1", "1", "2", " 1", "1 ", "-1", "1.0", "", "x", "4294967296"])
LINES = st.tuples(IDS, CHUNKS, GRADES).map("\t".join) | st.text("q0c1\t ", max_size=8)
HEADERS = st.sampled_from(["", "query-id\tcorpus-id\tscore\n", "QUERY_ID\tcorpus-id\tscore\r\n"])


@st.composite
def qrels_file(draw: st.DrawFn) -> bytes:
    ends = st.sampled_from(["\n", "\r\n", "\n\n", "\n \t\r\n"])
    lines = [line + draw(ends) for line in draw(st.lists(LINES, max_size=8))]
    text = draw(HEADERS) + "".join(lines)
    return (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + text.encode()


@given(st.data(), st.booleans())
@files
def test_judgements_are_those_of_the_twin(tmp_path: Path, data: st.DataObject, damage: bool):
    contents = data.draw(st.lists(qrels_file(), min_size=1, max_size=3))
    if damage:
        contents[0] = data.draw(damaged(contents[0]))
    # What is in another encoding, or no text, is told as a whole.
    assume(not any(b"\x00" in content for content in contents))
    ids, chunks = [row["_id"] for row in QUERIES], [row["_id"] for row in CORPUS]
    judged, file_of, bad, repeated = reference.read_qrels(contents, ids, chunks)
    graded = {qa_id: dict(pairs) for qa_id, pairs in judged.items()}
    expected = {
        qa_id: reference.relevant_chunks(list(graded[qa_id]), list(graded[qa_id].values()))
        for qa_id in ids
        if any(grade > 0 for grade in graded.get(qa_id, {}).values())
    }
    if not expected or len(set(file_of.values())) < len(contents):
        with pytest.raises(InputError, match=r"judges nothing|no question has|every row"):
            load(tmp_path, *contents, on_error="skip")
        return
    dataset, judged_in = load(tmp_path, *contents, on_error="skip")
    assert relevant(dataset) == {
        qa_id: [chunk for chunk, _ in pairs] for qa_id, pairs in expected.items()
    }
    grades = [grade for pairs in expected.values() for _, grade in pairs]
    assert (dataset.grades is None) == all(grade == 1 for grade in grades)
    assert dataset.grades is None or dataset.grades.tolist() == grades
    assert judged_in == [file_of[qa_id] for qa_id in expected]
    assert reasons(Counter(dataset.rejected_counts)) == Counter(bad)
    told = [text for text in dataset.warnings if "repeat an earlier one" in text]
    assert sum(int(text.rsplit(": ", 1)[1].split()[0]) for text in told) == repeated


def usual_query(i: int) -> dict[str, Any]:
    return {"_id": f"q{i % 4}", "text": f"question {i}?"}


def usual_chunk(i: int) -> dict[str, Any]:
    return {"_id": f"c{i % 4}", "title": ["", "a title", " "][i % 3], "text": f"text {i % 3}"}


@given(st.data(), st.booleans())
@files
def test_questions_and_titled_chunks_are_those_of_the_twin(
    tmp_path: Path, data: st.DataObject, damage: bool
):
    names = ["_id", "id", "text"]
    queries = data.draw(jsonl_file(names, usual_query))
    corpus = data.draw(jsonl_file(["_id", "id", "text", "title"], usual_chunk))
    if damage:
        queries, corpus = data.draw(damaged(queries)), data.draw(damaged(corpus))
    queries += b"\n" + jsonl([{"_id": "good", "text": "good?"}])
    corpus += b"\n" + jsonl([{"_id": "good", "text": "good"}])
    rows, bad = reference.read_rows(queries, reference.read_query)
    questions: dict[str, str] = {}
    for qa_id, question in rows:
        if questions.setdefault(qa_id, question) is not question:
            bad.append("duplicate_qa_id")
    titled, wrong = reference.read_rows(corpus, reference.read_titled_chunk)
    chunks: dict[str, str] = {}
    for chunk, text, _ in titled:
        if chunks.setdefault(chunk, text) != text:
            wrong.append("duplicate_chunk_id")
    assume(questions["good"] == "good?" and chunks["good"] == "good")
    # Ids that a table can hold.
    kept = [qa_id for qa_id in questions if not set(qa_id) & set("\t\n\r") and qa_id.strip(" ")]
    qrels = "".join(f"{qa_id}\tgood\t1\n" for qa_id in kept).encode()
    (tmp_path / "queries").write_bytes(queries)
    (tmp_path / "corpus").write_bytes(corpus)
    (tmp_path / "qrels").write_bytes(b"query-id\tcorpus-id\tscore\n" + qrels)
    dataset, _ = load_qrels(
        tmp_path / "queries", tmp_path / "corpus", [tmp_path / "qrels"], on_error="skip"
    )
    assert list(dataset.qa_ids) == kept
    assert list(dataset.questions) == [questions[qa_id] for qa_id in kept]
    assert list(dataset.chunk_ids) == list(chunks)
    assert list(dataset.chunk_texts) == list(chunks.values())
    assert reasons(Counter(dataset.rejected_counts)) == Counter(bad + wrong)


def outcome(samples: Samples, folder: Path) -> dict[str, Any]:
    samples.write_jsonl(folder / "written.jsonl")
    names = ("qa_ids", "questions", "answers", "contexts", "context_ids", "candidates", "offsets",
             "num_relevant")  # fmt: skip
    found: dict[str, Any] = {name: list(getattr(samples, name)) for name in names}
    grades = None if samples.grades is None else samples.grades.tolist()
    return found | {"grades": grades, "file": (folder / "written.jsonl").read_bytes()}


@given(st.lists(st.booleans(), min_size=9, max_size=9).filter(any), st.integers(1, 3))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_some_questions_are_those_of_a_file_with_no_others(
    tmp_path: Path, used: list[bool], negatives: int
):
    chunks = [{"id": f"c{i}", "text": f"text {i}"} for i in range(12)]
    qa = [
        {"question": f"{i // 2}?", "chunk_ids": [f"c{i}", f"c{i // 2}"][: 1 + i % 2], "qa_id": i,
         "grades": [2 - i % 2, 1][: 1 + i % 2], "answer": f"answer {i}"}
        for i in range(9)
    ]  # fmt: skip
    rows = np.flatnonzero(used).astype(np.int64)
    # Two questions in a row are one, and keep each other's ground truths: they go together.
    rows = np.unique([row for pair in rows // 2 for row in (2 * pair, 2 * pair + 1) if row < 9])
    (tmp_path / "chunks").write_bytes(jsonl(chunks))
    for name, kept in (("all", qa), ("some", [qa[row] for row in rows])):
        (tmp_path / name).write_bytes(jsonl(kept))
    whole, some = (Dataset.load(tmp_path / name, tmp_path / "chunks") for name in ("all", "some"))
    taken = whole.take(rows)
    for name in ("num_qa", "num_questions", "num_chunks"):
        assert getattr(taken, name) == getattr(some, name)
    expected = outcome(some.construct(negatives, 3), tmp_path)
    assert outcome(taken.construct(negatives, 3), tmp_path) == expected
    samples = whole.construct(negatives, 3)
    assert outcome(samples.take(rows), tmp_path) == expected
    samples.write_jsonl(tmp_path / "samples")
    some.construct(negatives, 3).write_jsonl(tmp_path / "fewer")
    read = Samples.load_jsonl(tmp_path / "samples").take(rows)
    assert outcome(read, tmp_path) == outcome(Samples.load_jsonl(tmp_path / "fewer"), tmp_path)


def test_rows_rise(tmp_path: Path):
    dataset, _ = load(tmp_path, HEADER + b"q0\tc0\t1\nq1\tc0\t1\n")
    for rows in ([1, 0], [0, 0], [2], [-1]):
        with pytest.raises(ValueError, match="expected rising numbers from 0 to 1"):
            dataset.take(np.array(rows))
        with pytest.raises(ValueError, match="expected rising numbers from 0 to 1"):
            dataset.construct(2).take(np.array(rows))
