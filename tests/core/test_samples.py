from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from stage2._core import Dataset, Samples
from tests import reference
from tests.files import jsonl

TEXT = st.text(st.sampled_from('ab "\\/\n\t\x00\x7fü日😀'), min_size=1, max_size=20).filter(
    str.strip
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
GRADES = st.sampled_from([-1, 0, 0.125, 1, 2, 2.5])
OTHER = st.dictionaries(
    TEXT,
    st.recursive(st.none() | NUMBERS | TEXT, lambda inner: st.lists(inner, max_size=2)),
    max_size=3,
)


@st.composite
def data_set(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Draw questions, each with an id and one to three chunks, and the chunks."""
    texts = draw(st.lists(TEXT, min_size=6, max_size=12))
    chunks = [{"chunk_id": f"c{i}", "text": text} for i, text in enumerate(texts)]
    some_ids = st.lists(
        st.sampled_from([row["chunk_id"] for row in chunks]), min_size=1, max_size=3, unique=True
    )
    qa = []
    for i in range(draw(st.integers(1, 6))):
        row = {"question": draw(TEXT), "chunk_ids": draw(some_ids), "qa_id": f"q{i}"}
        if draw(st.booleans()):
            row["answer"] = draw(TEXT)
        if draw(st.booleans()):
            count = len(row["chunk_ids"])
            grades = st.lists(GRADES, min_size=count, max_size=count)
            row["grades"] = draw(grades.filter(lambda grades: max(grades) > 0))
        qa.append({**row, **draw(OTHER)})
    return qa, chunks


def load(folder: Path, qa: list[dict[str, Any]], chunks: list[dict[str, Any]]) -> Dataset:
    (folder / "qa.jsonl").write_bytes(jsonl(qa))
    (folder / "chunks.jsonl").write_bytes(jsonl(chunks))
    return Dataset.load(folder / "qa.jsonl", folder / "chunks.jsonl")


Relevant = list[tuple[int, float]]


def relevant_to(qa: list[dict[str, Any]], chunks: list[dict[str, Any]]) -> list[Relevant]:
    """Return the ground truths of each question with grades, including those of equal questions."""
    place = {chunk["chunk_id"]: i for i, chunk in enumerate(chunks)}
    first = reference.same_text([chunk["text"] for chunk in chunks])
    return reference.shared_truths(
        [row["question"] for row in qa],
        [
            reference.relevant_chunks(
                [place[chunk] for chunk in row["chunk_ids"]],
                reference.read_grades(row.get("grades"), len(row["chunk_ids"])),
            )
            for row in qa
        ],
        lambda one, other: first[one[0]] == first[other[0]],
    )


def excluded_of(relevant: Relevant, chunks: list[dict[str, Any]]) -> list[int]:
    """Return the chunks with the same text as a ground truth."""
    first = reference.same_text([chunk["text"] for chunk in chunks])
    texts = {first[chunk] for chunk, _ in relevant}
    return [chunk for chunk, text in enumerate(first) if text in texts]


def expected_row(
    row: dict[str, Any],
    relevant: Relevant,
    chunks: list[dict[str, Any]],
    *,
    negatives: int,
    seed: int,
    graded: bool,
) -> dict[str, Any]:
    """Return the expected sample of a question, with its members in order."""
    excluded = excluded_of(relevant, chunks)
    drawn = reference.draw_negatives(seed, row["qa_id"], negatives, len(chunks), excluded)
    others = {
        name: value
        for name, value in row.items()
        if name not in ("question", "chunk_ids", "qa_id", "answer", "grades")
    }
    answer = {"answer": row["answer"]} if "answer" in row else {}
    grades = [int(grade) if grade == int(grade) else grade for _, grade in relevant]
    return {
        "question": row["question"],
        "ground_truth_contexts": [chunks[i]["text"] for i, _ in relevant],
        "negative_contexts": [chunks[i]["text"] for i in drawn],
        "qa_id": row["qa_id"],
        "gt_chunk_id": chunks[relevant[0][0]]["chunk_id"],
        "gt_chunk_ids": [chunks[i]["chunk_id"] for i, _ in relevant],
        **({"gt_grades": grades} if graded else {}),
        "negative_chunk_ids": [chunks[i]["chunk_id"] for i in drawn],
        **answer,
        **others,
    }


files = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(data=data_set(), negatives=st.integers(1, 3), seed=st.integers(0, 2**63 - 1))
@files
def test_written_samples_say_what_they_should(
    tmp_path: Path, data: tuple[list[Any], list[Any]], negatives: int, seed: int
):
    qa, chunks = data
    relevant = relevant_to(qa, chunks)
    most = max(len(excluded_of(own, chunks)) for own in relevant)
    assume(negatives <= len(chunks) - most)
    samples = load(tmp_path, qa, chunks).construct(negatives=negatives, seed=seed)
    samples.write_jsonl(tmp_path / "samples.jsonl")
    written = (tmp_path / "samples.jsonl").read_bytes()
    graded = any(grade != 1 for own in relevant for _, grade in own)
    expected = [
        expected_row(row, own, chunks, negatives=negatives, seed=seed, graded=graded)
        for row, own in zip(qa, relevant, strict=True)
    ]
    assert written == jsonl(expected)

    again = Samples.load_jsonl(tmp_path / "samples.jsonl")
    for column in ("questions", "qa_ids", "answers", "offsets", "num_relevant"):
        assert list(getattr(again, column)) == list(getattr(samples, column))
    assert (again.grades is None) == (samples.grades is None) == (not graded)
    assert not graded or again.grades.tolist() == samples.grades.tolist()
    for column in ("contexts", "context_ids"):
        assert getattr(again, column).take(again.candidates) == getattr(samples, column).take(
            samples.candidates
        )
    distinct = list(zip(again.context_ids, again.contexts, strict=True))
    assert len(set(distinct)) == len(distinct)
    assert list(dict.fromkeys(again.candidates.tolist())) == list(range(len(distinct)))

    rows = np.array([i for i in range(len(qa)) for _ in range(i % 3)][::-1], np.int64)
    for some in (samples, again):
        some.write_jsonl(tmp_path / "some.jsonl", rows)
        lines = written.split(b"\n")
        assert (tmp_path / "some.jsonl").read_bytes() == b"".join(lines[i] + b"\n" for i in rows)


def test_samples_are_lists_in_csr(tmp_path: Path):
    qa = [
        {"question": "one", "chunk_id": 3},
        {"question": "two", "chunk_ids": [5, "1"]},
    ]
    dataset = load(tmp_path, qa, [{"id": i, "text": str(i)} for i in range(9)])
    samples = dataset.construct(negatives=4)
    assert len(samples) == 2
    assert samples.offsets.tolist() == [0, 5, 11]
    assert samples.num_relevant.tolist() == [1, 2]
    assert (samples.candidates[0], samples.candidates[5:7].tolist()) == (3, [5, 1])
    for start, end in pairwise(samples.offsets):
        assert len(set(samples.candidates[start:end].tolist())) == end - start
    assert samples.candidates.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        samples.candidates[0] = 0


def test_questions_without_id_get_one_that_stays(tmp_path: Path):
    chunks = [{"id": i, "text": str(i)} for i in range(4)]
    qa = [
        {"question": "same?", "chunk_id": 1},
        {"question": "same?", "chunk_id": 2},
        {"question": "same?", "chunk_ids": [1, 2]},
        {"question": "twice?", "chunk_id": 1, "answer": "b"},
        {"question": "twice?", "chunk_id": "1", "answer": "a"},
        {"question": "named", "chunk_id": 3, "qa_id": "q"},
    ]
    ids = dict(zip(map(repr, qa), load(tmp_path, qa, chunks).qa_ids, strict=True))
    assert len(set(ids.values())) == len(qa)
    assert ids[repr(qa[5])] == "q"
    # Of two rows with the same question and chunk, the smaller bytes come first: here `"1"`.
    assert ids[repr(qa[3])] == ids[repr(qa[4])] + "-2"
    for seed in range(5):
        shuffled = random.Random(seed).sample(qa, len(qa))
        found = load(tmp_path, shuffled, chunks).qa_ids
        assert list(found) == [ids[repr(row)] for row in shuffled]
    taken = ids[repr(qa[0])]
    with_clash = [*qa, {"question": "clash", "chunk_id": 3, "id": taken}]
    found = load(tmp_path, with_clash, chunks).qa_ids
    assert (found[0], found[6]) == (taken + "-2", taken)


def test_the_references_samples_are_read(golden: Path, tmp_path: Path):
    path = golden / "constructed_data.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    samples = Samples.load_jsonl(path)
    assert list(samples.qa_ids) == [row["qa_id"] for row in rows]
    assert list(samples.questions) == [row["question"] for row in rows]
    assert samples.contexts.take(samples.candidates) == [
        text for row in rows for text in row["ground_truth_contexts"] + row["negative_contexts"]
    ]
    first = samples.candidates[samples.offsets[:-1]]
    assert samples.context_ids.take(first) == [row["gt_chunk_id"] for row in rows]
    assert samples.num_relevant.tolist() == [1] * 50
    samples.write_jsonl(tmp_path / "copy.jsonl")
    assert (tmp_path / "copy.jsonl").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("rows", [None, np.asarray([2, 0]), np.empty(0, np.int64)])
def test_writing_returns_the_hash_of_the_file(
    corpus: dict[str, Path], tmp_path: Path, rows: np.ndarray | None
) -> None:
    samples = Dataset.load(corpus["qa"], corpus["chunks"]).construct(negatives=5, seed=0)
    path = tmp_path / "samples.jsonl"
    assert samples.write_jsonl(path, rows) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_samples_in_an_array_are_written_as_lines(tmp_path: Path):
    row = {"question": "a, b: c?", "ground_truth_contexts": ["x\n"], "negative_contexts": []}
    rows = [{**row, "qa_id": str(i), "extra": {"pi": [3.0, -1]}} for i in range(3)]
    (tmp_path / "array.json").write_text(json.dumps(rows, indent=2))
    Samples.load_jsonl(tmp_path / "array.json").write_jsonl(tmp_path / "lines.jsonl")
    assert (tmp_path / "lines.jsonl").read_bytes() == jsonl(rows)


MANY = """
import sys
from stage2._core import Dataset, Samples
folder = sys.argv[1]
dataset = Dataset.load(folder + "/qa.jsonl", folder + "/chunks.jsonl", on_error="skip")
dataset.construct(negatives=7, seed=3).write_jsonl(folder + "/samples.jsonl")
dataset.write_rejected(folder + "/rejected.jsonl")
samples = Samples.load_jsonl(folder + "/samples.jsonl")
print(samples.candidates.sum(), *samples.contexts[:100:10], sep="|")
"""


def test_threads_and_order_change_nothing(tmp_path: Path):
    shuffle = random.Random(0)
    chunks = [{"id": i, "text": f"{i % 50} " + "text " * (i % 90)} for i in range(5000)]
    chunks += [{"id": i, "text": "another"} for i in range(0, 5000, 7)]
    shuffle.shuffle(chunks)
    qa: list[dict[str, Any]] = [
        {"question": f"{i % 2000}?", "chunk_id": i % 3000} for i in range(4000)
    ]
    qa += [{"question": "?", "chunk_id": "nowhere"}, {"question": ""}] * 20

    def run(threads: int, questions: list[dict[str, Any]]) -> tuple[bytes, bytes, str]:
        (tmp_path / "qa.jsonl").write_bytes(jsonl(questions))
        (tmp_path / "chunks.jsonl").write_bytes(jsonl(chunks))
        call = subprocess.run(
            [sys.executable, "-c", MANY, str(tmp_path)],
            env={**os.environ, "RAYON_NUM_THREADS": str(threads)},
            capture_output=True,
            text=True,
            check=True,
        )
        samples = (tmp_path / "samples.jsonl").read_bytes()
        return samples, (tmp_path / "rejected.jsonl").read_bytes(), call.stdout

    one = run(1, qa)
    assert one[0].count(b"\n") == 4000
    assert one[1].count(b"\n") == 40 + 715
    assert run(2, qa) == one
    assert run(7, qa) == one
    shuffled = run(2, shuffle.sample(qa, len(qa)))
    assert sorted(shuffled[0].split(b"\n")) == sorted(one[0].split(b"\n"))


def test_a_write_is_whole_or_not_at_all(tmp_path: Path):
    dataset = load(
        tmp_path, [{"question": "?", "chunk_id": 1}], [{"id": i, "text": str(i)} for i in range(3)]
    )
    samples = dataset.construct(negatives=1)
    with pytest.raises(FileNotFoundError) as missing:
        samples.write_jsonl(tmp_path / "nowhere" / "samples.jsonl")
    assert missing.value.filename == str(tmp_path / "nowhere" / "samples.jsonl")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        samples.write_jsonl(tmp_path / "folder")
    (tmp_path / "samples.jsonl").write_text("old")
    samples.write_jsonl(tmp_path / "samples.jsonl")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "chunks.jsonl", "folder", "qa.jsonl", "samples.jsonl"
    ]  # fmt: skip
    assert (tmp_path / "samples.jsonl").read_text().count("\n") == 1
