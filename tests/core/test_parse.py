from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from stage2._core import Annotations, Dataset, Samples, TextColumn
from tests import reference
from tests.files import FORMS, jsonl

# Examples share tmp_path only as a place to write to, so they do not influence each other.
files = settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])

# The texts have all escapes of JSON, letters of one to four bytes and all kinds of white space.
TEXT = st.text(
    st.sampled_from('ab "\\/\b\f\n\r\t\x00\x1f\x7f\u2028ü日😀 \u3000,:{}[]'), max_size=40
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
)
CHUNK_NAMES = ["chunk_id", "id", "_id", "text", "chunk_text", "input", "content", "title"]
QA_NAMES = ["question", "chunk_id", "chunk_ids", "qa_id", "id", "answer", "grades"]

GOOD_CHUNK = {"chunk_id": "good", "text": "good"}
GOOD_QA = {"question": "good?", "chunk_id": "good", "qa_id": "good"}


def members(names: list[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Draw members of an object in any order, with repeated and unknown names."""
    name = st.sampled_from(names) | st.just("other")
    return st.lists(st.tuples(name, values), max_size=8)


@st.composite
def json_text(draw: st.DrawFn, pairs: list[tuple[str, Any]]) -> str:
    """Write an object with any white space and any escapes."""
    white = st.text(" \t\r", max_size=2)
    parts = []
    for name, value in pairs:
        ascii_only = draw(st.booleans())
        key = json.dumps(name, ensure_ascii=ascii_only)
        if draw(st.booleans()):
            key = key.replace("t", "\\u0074")
        text = json.dumps(value, ensure_ascii=ascii_only).replace(
            "/", draw(st.sampled_from(["/", "\\/"]))
        )
        parts.append(f"{draw(white)}{key}{draw(white)}:{draw(white)}{text}{draw(white)}")
    return "{" + ",".join(parts) + draw(white) + "}"


@st.composite
def jsonl_file(draw: st.DrawFn, names: list[str], usual: Callable[[int], dict[str, Any]]) -> bytes:
    """Draw rows, most of them good, with blank lines and both kinds of line endings."""
    numbers = st.lists(st.integers(-1, 3) | st.floats(allow_nan=False), max_size=2)
    odd = members(names, VALUES | st.lists(st.text("ab", max_size=2)) | numbers)
    rows = []
    for i in range(draw(st.integers(0, 6))):
        pairs = draw(odd)
        if draw(st.integers(0, 3)):
            pairs += usual(i).items()
        rows.append(draw(json_text(pairs)))
    ends = st.sampled_from(["\n", "\r\n", "\n\n", "\n \t\n"])
    text = "".join(row + draw(ends) for row in rows)
    if draw(st.booleans()):
        text = text.rstrip("\n")
    return (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + text.encode()


@st.composite
def damaged(draw: st.DrawFn, file: bytes) -> bytes:
    """Draw a file with random damage."""
    spills = b'|\x00|\xff|\xed\xa0\x80|\xc3|"|\\|\\u|\\ud83d|\n|NaN|-Infinity|1e|01|{|}|,|:|tru|\t'
    deep = b"[" * 130
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(file)))
        end = draw(st.integers(start, min(len(file), start + 3)))
        file = file[:start] + draw(st.sampled_from([*spills.split(b"|"), deep])) + file[end:]
    assume(not file.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").startswith(b"["))
    return file


JSON_REASONS = {"invalid_json", "truncated_json", "trailing_data", "not_finite", "invalid_utf8",
                "lone_surrogate", "too_deep"}  # fmt: skip


def reasons(found: Counter[str]) -> Counter[str]:
    """Reduce a reason to those of the reference, which knows only that a row is not JSON."""
    counts: Counter[str] = Counter()
    for reason, count in found.items():
        counts["json" if reason in JSON_REASONS else reason] += count
    return counts


def other_values(dataset: Dataset) -> Counter[str]:
    """Count the unused values in warnings by their names."""
    said = re.compile(r'.*: (\d+) rows hold another value in "(\w+)" than in the field')
    found = [said.match(warning) for warning in dataset.warnings]
    return Counter({match[2]: int(match[1]) for match in found if match})


def usual_chunk(i: int) -> dict[str, Any]:
    return {"id": f"c{i % 4}", "content": f"text {i % 3}"}


@given(st.data(), st.booleans(), st.booleans())
@files
def test_chunks_are_those_of_the_twin(
    tmp_path: Path, data: st.DataObject, damage: bool, join: bool
):
    file = data.draw(jsonl_file(CHUNK_NAMES, usual_chunk))
    if damage:
        file = data.draw(damaged(file))
    file += b"\n" + jsonl([GOOD_CHUNK])
    (tmp_path / "chunks.jsonl").write_bytes(file)
    (tmp_path / "qa.jsonl").write_bytes(jsonl([GOOD_QA]))
    read = reference.read_titled_chunk if join else reference.read_chunk
    rows, bad = reference.read_rows(file, read)
    expected: dict[str, tuple[str, str]] = {}
    repeated = 0
    for chunk, text, title in rows:
        if expected.setdefault(chunk, (text, title))[0] != text:
            bad.append("duplicate_chunk_id")
        else:
            repeated += 1
    repeated -= len(expected)
    if expected["good"][0] != "good":
        return  # an earlier row has the id

    dataset = Dataset.load(
        tmp_path / "qa.jsonl", tmp_path / "chunks.jsonl", on_error="skip", join_titles=join
    )
    assert list(dataset.chunk_ids) == list(expected)
    assert list(dataset.chunk_texts) == [text for text, _ in expected.values()]
    assert list(dataset.chunk_titles) == [title for _, title in expected.values()]
    assert reasons(Counter(dataset.rejected_counts)) == Counter(bad)
    repeats = [warning for warning in dataset.warnings if "repeat the id" in warning]
    assert len(repeats) == (repeated > 0)
    assert all(str(repeated) in warning for warning in repeats)
    assert other_values(dataset) == reference.other_values(
        file, read, [CHUNK_NAMES[:3], CHUNK_NAMES[3:7]]
    )


@given(st.data(), st.booleans())
@files
def test_questions_are_those_of_the_twin(tmp_path: Path, data: st.DataObject, damage: bool):
    def usual(i: int) -> dict[str, Any]:
        row = {"question": f"what {i}?", "chunk_ids": ["c", "good"][i % 2 :], "qa_id": i // 2}
        grades = data.draw(st.none() | st.lists(st.sampled_from([-1, 0, 0.5, 1, 2]), max_size=2))
        return row if grades is None else {**row, "grades": grades}

    file = data.draw(jsonl_file(QA_NAMES, usual))
    if damage:
        file = data.draw(damaged(file))
    file = jsonl([GOOD_QA]) + file.removeprefix(b"\xef\xbb\xbf")
    (tmp_path / "chunks.jsonl").write_bytes(jsonl([GOOD_CHUNK, {"id": "c", "text": "c"}]))
    (tmp_path / "qa.jsonl").write_bytes(file)
    rows, bad = reference.read_rows(file, reference.read_question)
    expected = []
    taken = set()
    for question, answer, qa_id, chunks, grades in rows:
        if qa_id in taken:
            bad.append("duplicate_qa_id")
            continue
        taken |= {qa_id} - {None}
        wrong = next(
            (
                i
                for i, chunk in enumerate(chunks)
                if chunk not in ("c", "good") or chunk in chunks[:i]
            ),
            None,
        )
        if wrong is None:
            relevant = reference.relevant_chunks(chunks, grades)
            expected.append((question, answer, qa_id, relevant))
        else:
            bad.append("unknown_chunk" if chunks[wrong] not in ("c", "good") else "repeated_chunk")

    dataset = Dataset.load(tmp_path / "qa.jsonl", tmp_path / "chunks.jsonl", on_error="skip")
    assert list(dataset.questions) == [row[0] for row in expected]
    assert list(dataset.answers) == [row[1] for row in expected]
    assert [qa_id for qa_id, row in zip(dataset.qa_ids, expected, strict=True) if row[2]] == [
        row[2] for row in expected if row[2]
    ]
    assert len(set(dataset.qa_ids)) == dataset.num_qa
    starts = dataset.relevant_offsets
    found = [dataset.chunk_ids.take(dataset.relevant[a:b]) for a, b in itertools.pairwise(starts)]
    assert found == [[chunk for chunk, _ in row[3]] for row in expected]
    grades = [grade for row in expected for _, grade in row[3]]
    assert (dataset.grades is None) == all(grade == 1 for grade in grades)
    assert dataset.grades is None or dataset.grades.tolist() == grades
    assert reasons(Counter(dataset.rejected_counts)) == Counter(bad)
    assert other_values(dataset) == reference.other_values(
        file, reference.read_question, [QA_NAMES[3:5]]
    )


@given(st.data(), st.booleans())
@files
def test_annotations_are_those_of_the_twin(tmp_path: Path, data: st.DataObject, damage: bool):
    place = st.integers(-1, 6) | st.sampled_from([None, 1.0, "1", True, 10**30, -(10**30)])
    target = st.fixed_dictionaries(
        {}, optional={"char_start": place, "char_end": place, "span_text": SCALARS}
    )
    likely = st.fixed_dictionaries({"char_start": st.integers(0, 2), "char_end": st.integers(2, 4)})
    targets = st.lists(likely, max_size=3) | st.lists(target | likely | SCALARS, max_size=2)

    def usual(i: int) -> dict[str, Any]:
        text = ["plain", "日本語テ", "a😀b\n"][i % 3]
        return {"text": text, "targets": data.draw(targets)}

    file = data.draw(jsonl_file(["text", "targets"], usual))
    if damage:
        file = data.draw(damaged(file))
    file += b"\n" + jsonl(
        [{"text": "日本", "targets": [{"char_start": 1, "char_end": 2, "span_text": "本"}]}]
    )
    path = tmp_path / "entities.jsonl"
    path.write_bytes(file)
    expected, bad = reference.read_rows(file, reference.read_annotation)

    annotations = Annotations.load(path, on_error="skip")
    assert list(annotations.texts) == [text for text, _ in expected]
    starts = annotations.offsets
    spans = [annotations.spans[a:b].tolist() for a, b in itertools.pairwise(starts)]
    assert spans == [[list(span) for span in spans] for _, spans in expected]
    assert reasons(Counter(annotations.rejected_counts)) == Counter(bad)
    rows = [rejected.row for rejected in annotations.rejected]
    places = [(rejected.line, rejected.column) for rejected in annotations.rejected]
    assert places == sorted(places)
    assert len(set(rows)) <= len(reference.lines(file))


@given(
    st.lists(st.tuples(TEXT, TEXT.filter(str.strip)), min_size=1, max_size=5),
    st.sampled_from([None, 0, 3]),
    st.sampled_from(sorted(FORMS)),
)
@example([('"', "\\")], 1, "plain")
@files
def test_an_array_holds_what_its_lines_would(
    tmp_path: Path, texts: list[tuple[str, str]], indent: int | None, form: str
):
    chunks = [{"id": i, "text": text, "title": title} for i, (title, text) in enumerate(texts)]
    qa = [{"question": text, "chunk_id": str(i)} for i, (_, text) in enumerate(texts)]
    load = {}
    for kind in ("lines", "array"):
        paths = []
        for name, rows in (("qa", qa), ("chunks", chunks)):
            whole = b" \n" + json.dumps(rows, indent=indent).encode() + b"\r\n"
            paths.append(tmp_path / name)
            paths[-1].write_bytes(FORMS[form](whole if kind == "array" else jsonl(rows)))
        load[kind] = Dataset.load(*paths)
    for column in ("chunk_ids", "chunk_texts", "chunk_titles", "qa_ids", "questions", "relevant"):
        assert list(getattr(load["lines"], column)) == list(getattr(load["array"], column))
    assert list(load["array"].chunk_texts) == [text for _, text in texts]


@pytest.mark.parametrize("form", sorted(FORMS))
def test_large_files_are_read_in_order(tmp_path: Path, form: str):
    chunks = [{"id": i, "text": f"chunk {i} " + "é\n" * (i % 500)} for i in range(9000)]
    chunks[8000]["id"] = 17
    (tmp_path / "qa").write_bytes(jsonl([{"question": "?", "chunk_ids": [8999, 0]}]))
    (tmp_path / "chunks").write_bytes(FORMS[form](jsonl(chunks)))
    dataset = Dataset.load(tmp_path / "qa", tmp_path / "chunks", on_error="skip")
    assert list(dataset.chunk_texts) == [row["text"] for row in chunks if row is not chunks[8000]]
    assert dataset.relevant.tolist() == [8998, 0]
    assert [(row.line, row.column, row.reason) for row in dataset.rejected] == [
        (8001, 8, "duplicate_chunk_id")
    ]


@pytest.mark.parametrize("form", ["lines", "array"])
@pytest.mark.parametrize("kind", ["qa", "chunks", "entities", "samples"])
@pytest.mark.parametrize("bad", [{5}, {0, 5, 6, 431, 999}])
def test_one_bad_row_takes_no_other_with_it(tmp_path: Path, kind: str, form: str, bad: set[int]):
    """The file of two megabytes is read in pieces; the error is in the first, middle or last."""
    filler = "x" * 2000
    usual: dict[str, Callable[[int], dict[str, Any]]] = {
        "qa": lambda i: {"question": f"{i}?", "chunk_id": "good", "answer": filler},
        "chunks": lambda i: {"id": i, "text": f"{i} {filler}"},
        "entities": lambda i: {"text": f"{i} {filler}", "targets": []},
        "samples": lambda i: {
            "question": f"{i}?",
            "ground_truth_contexts": [filler],
            "negative_contexts": ["other"],
            "qa_id": str(i),
            "gt_chunk_id": "good",
        },
    }
    rows = [{"text": 1} if i in bad else usual[kind](i) for i in range(1000)]
    content = jsonl(rows) if form == "lines" else json.dumps(rows).encode()
    paths = {name: tmp_path / name for name in usual}
    paths["qa"].write_bytes(jsonl([GOOD_QA]))
    paths["chunks"].write_bytes(jsonl([GOOD_CHUNK]))
    paths[kind].write_bytes(content)
    kept = [i for i in range(1000) if i not in bad]
    loaded: Any
    if kind == "samples":
        loaded = Samples.load_jsonl(paths["samples"], "skip")
        assert list(loaded.qa_ids) == [str(i) for i in kept]
    elif kind == "entities":
        loaded = Annotations.load(paths["entities"], "skip")
        assert [text.split()[0] for text in loaded.texts] == [str(i) for i in kept]
    elif kind == "chunks":
        paths["qa"].write_bytes(jsonl([{"question": "?", "chunk_id": "7"}]))
        loaded = Dataset.load(paths["qa"], paths["chunks"], on_error="skip")
        assert list(loaded.chunk_ids) == [str(i) for i in kept]
    else:
        loaded = Dataset.load(paths["qa"], paths["chunks"], on_error="skip")
        assert list(loaded.questions) == [f"{i}?" for i in kept]
    assert len(loaded.rejected) == len(bad)
    if form == "lines":
        assert [row.line for row in loaded.rejected] == [i + 1 for i in sorted(bad)]


def test_real_data_is_what_json_says(monte_cristo: Path):
    paths = [monte_cristo / name for name in ("qa.json", "chunks.jsonl", "entities.jsonl")]
    dataset = Dataset.load(*paths)
    qa = json.loads(paths[0].read_text(encoding="utf-8"))
    chunks, entities = (
        [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        for path in paths[1:]
    )
    assert (dataset.num_qa, dataset.num_chunks, dataset.num_annotations) == (50, 1231, 1464)
    assert list(dataset.questions) == [row["question"] for row in qa]
    assert dataset.chunk_ids.take(dataset.relevant) == [row["chunk_id"] for row in qa]
    assert list(dataset.chunk_texts) == [row["text"] for row in chunks]
    assert dataset.annotations is not None
    assert dataset.annotations.spans.tolist() == [
        [target["char_start"], target["char_end"]] for row in entities for target in row["targets"]
    ]
    assert (dataset.rejected, dataset.warnings) == ([], [])


def test_a_column_is_a_sequence(tmp_path: Path):
    rows = [{"text": text, "targets": []} for text in ("a", "ü\n", "日本", "a")]
    (tmp_path / "entities").write_bytes(jsonl(rows))
    column = Annotations.load(tmp_path / "entities").texts
    texts = [row["text"] for row in rows]
    assert isinstance(column, TextColumn)
    assert (len(column), list(column), column[1], column[-1]) == (4, texts, "ü\n", "a")
    assert (column[1:], column[::-2], column[9:]) == (texts[1:], texts[::-2], [])
    assert (column.index("日本"), column.count("a"), "日本" in column, "b" in column) == (
        2,
        2,
        True,
        False,
    )
    assert list(reversed(column)) == texts[::-1]
    for index in (4, -5):
        with pytest.raises(IndexError, match=f"no text {index}; there are 4"):
            column[index]
