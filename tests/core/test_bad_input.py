"""All kinds of bad input: the reason, the place, the message, and the result of skip."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stage2._core import Annotations, Dataset, InputError, Samples
from tests.files import FORMS, jsonl, zstd

QA = [{"question": "first?", "chunk_id": "c1"}, {"question": "second?", "chunk_id": "c2"}]
CHUNKS = [{"chunk_id": f"c{i}", "text": f"text {i}"} for i in range(4)]
ENTITIES = [{"text": "Dantès sailed", "targets": [{"char_start": 0, "char_end": 6}]}]

FILES = {"qa": QA, "chunks": CHUNKS, "entities": ENTITIES}


@dataclass(frozen=True)
class Case:
    """A file with a bad second row."""

    file: str
    row: bytes
    reason: str
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}-{self.reason}-{self.column}"


def entity(start: object, end: object, **more: object) -> bytes:
    target = {"char_start": start, "char_end": end, **more}
    return json.dumps({"text": "日本へ", "targets": [target]}, ensure_ascii=False).encode()


CASES = [
    # JSON
    Case("chunks", b'{"chunk_id": "x", "text": "y"', "truncated_json", 30,
         "the row ends in the middle of a JSON value; expected ',' or '}' after a member"),
    Case("chunks", b'{"chunk_id": "x", "text": "y', "truncated_json", 27,
         "a string that starts here never ends; expected '\"'"),
    Case("qa", b'{"question": "a?", "chunk_id": "c1"} {}', "trailing_data", 38,
         "something follows the row's JSON value; expected one value a row, and its end"),
    Case("qa", b'{"question": "a?", "chunk_id": "c1", "mass": NaN}', "not_finite", 46,
         "NaN is not JSON; expected a finite number or null"),
    Case("entities", b'{"text": "a", "targets": [], "x": [-Infinity]}', "not_finite", 37,
         "Infinity is not JSON"),
    Case("chunks", b"{'chunk_id': 'x'}", "invalid_json", 2,
         "''' is not valid JSON here; expected a member's name in double quotes"),
    Case("chunks", b'{"chunk_id": "x", "text": "a\tb"}', "invalid_json", 29,
         "a string holds the control character 0x09; expected it escaped, as \\u0009"),
    Case("chunks", b'{"chunk_id": "x", "text": "a\\qb"}', "invalid_json", 29,
         "an unknown escape; expected one of"),
    Case("qa", '{"question": "日本", "chunk_id": "'.encode() + b'\xe6\x97"}', "invalid_utf8", 33,
         "the byte 0xe6 is not UTF-8 here; expected UTF-8"),
    Case("chunks", b'{"chunk_id": "x", "text": "a \\ud83d b"}', "lone_surrogate", 30,
         "\\ud83d is half of a surrogate pair; expected both halves, or none"),
    Case("entities", b'{"text": "\\udc00", "targets": []}', "lone_surrogate", 11, "\\udc00 is half"),
    Case("chunks", b'{"chunk_id": "x", "text": "y", "z": ' + b"[" * 128 + b"]" * 128 + b"}",
         "too_deep", 164, "lists and objects nest deeper than 128; expected a flatter row"),
    # fields
    Case("chunks", b"[1, 2]", "wrong_type", 1, "the row is a list; expected a JSON object"),
    Case("chunks", b'  {"text": "y"}', "missing_field", 1,
         'the row has none of "chunk_id", "id", "_id"; expected one of them'),
    Case("chunks", b'{"_id": "x", "body": "y"}', "missing_field", 1,
         'none of "text", "chunk_text", "input", "content"'),
    Case("qa", b'{"question": "a?"}', "missing_field", 1, 'none of "chunk_id", "chunk_ids"'),
    Case("qa", b'{"chunk_id": "c1"}', "missing_field", 1,
         'the row has no "question"; expected that field'),
    Case("qa", b'{"question": "a?", "chunk_ids": []}', "missing_field", 33,
         '"chunk_ids" is empty; expected at least one chunk id'),
    Case("entities", b'{"text": "a"}', "missing_field", 1, 'no "targets"'),
    Case("entities", b'{"text": "a", "targets": [{"char_start": 0}]}', "missing_field", 27,
         'no "char_end"'),
    Case("chunks", b'{"id": [1], "text": "y"}', "wrong_type", 8,
         '"id" is a list; expected a string or an integer'),
    Case("chunks", b'{"id": 1.5, "text": "y"}', "wrong_type", 8,
         '"id" is a number with a fraction or exponent'),
    Case("chunks", b'{"id": 1, "content": 7}', "wrong_type", 22,
         '"content" is an integer; expected a string'),
    Case("chunks", b'{"id": 1, "text": "y", "title": {}}', "wrong_type", 33,
         '"title" is an object; expected a string'),
    Case("qa", b'{"question": true, "chunk_id": "c1"}', "wrong_type", 14,
         '"question" is a boolean; expected a string'),
    Case("qa", b'{"question": "a?", "chunk_ids": "c1"}', "wrong_type", 33,
         '"chunk_ids" is a string; expected a list'),
    Case("qa", b'{"question": "a?", "chunk_ids": ["c1", null]}', "wrong_type", 40,
         'an element of "chunk_ids" is null; expected a string or an integer'),
    Case("entities", b'{"text": "a", "targets": [3]}', "wrong_type", 27,
         'an element of "targets" is an integer; expected an object'),
    Case("entities", entity("0", 1), "wrong_type", 44, '"char_start" is a string; expected an integer'),
    Case("chunks", b'{"id": "", "text": "y"}', "empty_id", 8, '"id" is empty; expected an id'),
    Case("chunks", b'{"id": 1, "text": " \\n\\u3000"}', "empty_text", 19,
         '"text" is empty or only white space; expected text'),
    Case("qa", b'{"question": "", "chunk_id": "c1"}', "empty_question", 14,
         '"question" is empty or only white space; expected text'),
    Case("entities", b'{"text": "\\t", "targets": []}', "empty_text", 10, '"text" is empty'),
    # ids
    Case("chunks", b'{"id": "c0", "text": "other"}', "duplicate_chunk_id", 9,
         'the chunk id "c0" has been given to another text before; expected one text an id'),
    Case("qa", b'{"question": "a?", "chunk_id": "c9"}', "unknown_chunk", 33,
         'the chunk "c9" is not in '),
    Case("qa", b'{"question": "a?", "chunk_ids": ["c1", "c2", "c1"]}', "repeated_chunk", 47,
         'the chunk "c1" is named twice; expected each chunk of a question once'),
    # grades
    Case("qa", b'{"question": "a?", "chunk_id": "c1", "grades": 2}', "wrong_type", 48,
         '"grades" is an integer; expected a list'),
    Case("qa", b'{"question": "a?", "chunk_id": "c1", "grades": ["2"]}', "wrong_type", 49,
         'an element of "grades" is a string; expected a number'),
    Case("qa", b'{"question": "a?", "chunk_id": "c1", "grades": [1e39]}', "not_finite", 49,
         'an element of "grades" is "1e39"; expected a number that float32 holds'),
    Case("qa", b'{"question": "a?", "chunk_id": "c1", "grades": [1, 2]}', "length_mismatch", 48,
         '"grades" has 2 elements for 1 chunks; expected one grade for each chunk'),
    Case("qa", b'{"question": "a?", "chunk_id": "c1", "grades": [0]}', "no_relevant_chunk", 48,
         "no chunk of the question has a grade above 0; expected one that is relevant"),
    # spans
    Case("entities", entity(0, 4), "span_outside_text", 59,
         "the entity 0..4 lies outside its text, which has 3 code points; "
         "expected 0 <= char_start < char_end <= 3"),
    Case("entities", entity(-1, 2), "span_outside_text", 44, "the entity -1..2 lies outside"),
    Case("entities", entity(2, 2), "empty_span", 44,
         "the entity 2..2 is empty; expected char_start < char_end"),
    Case("entities", entity(0, 2, span_text="日木"), "span_mismatch", 76,
         'the text has "日本" at 0..2, its span_text says "日木"; '
         "expected the two to be equal, offsets counted in code points"),
]  # fmt: skip


def load(paths: dict[str, Path], on_error: Any = "strict") -> Dataset:
    return Dataset.load(paths["qa"], paths["chunks"], paths["entities"], on_error=on_error)


@pytest.fixture
def paths(tmp_path: Path) -> dict[str, Path]:
    paths = {name: tmp_path / f"{name}.jsonl" for name in FILES}
    for name, path in paths.items():
        path.write_bytes(jsonl(FILES[name]))
    return paths


@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.parametrize("case", CASES, ids=str)
def test_bad_rows(paths: dict[str, Path], tmp_path: Path, case: Case, form: str):
    path = paths[case.file]
    first, *rest = jsonl(FILES[case.file]).splitlines(keepends=True)
    path.write_bytes(FORMS[form](b"\n".join([first, case.row + b"\r", *rest])))

    with pytest.raises(InputError) as caught:
        load(paths)
    error = caught.value
    assert (error.file, error.line, error.column) == (str(path), 3, case.column)
    assert error.reason == case.reason
    assert str(error).startswith(f"{path}:3:{case.column}: ")
    assert case.message in str(error)
    assert str(error).endswith('; correct it, or leave bad rows out with on_error "skip"')

    dataset = load(paths, on_error="skip")
    assert (dataset.num_qa, dataset.num_chunks, dataset.num_annotations) == (2, 4, 1)
    assert dataset.rejected_counts == {case.reason: 1}
    dataset.write_rejected(tmp_path / "rejected.jsonl")
    [rejected] = map(json.loads, (tmp_path / "rejected.jsonl").read_text("utf-8").splitlines())
    assert case.message in rejected.pop("message")
    assert rejected == {
        "file": str(path),
        "line": 3,
        "column": case.column,
        "reason": case.reason,
        "row": case.row.decode("utf-8", "replace"),
    }


def test_duplicate_qa_id(paths: dict[str, Path]):
    paths["qa"].write_bytes(jsonl([{**row, "id": 7} for row in QA] + QA))
    with pytest.raises(
        InputError, match=r'2:49: the question id "7" has been given before; '
    ) as caught:
        load(paths)
    assert caught.value.reason == "duplicate_qa_id"
    dataset = load(paths, on_error="skip")
    assert list(dataset.questions) == ["first?", "first?", "second?"]
    assert dataset.qa_ids[0] == "7"
    assert dataset.rejected_counts == {"duplicate_qa_id": 1}


def test_the_same_chunk_twice_is_a_warning(paths: dict[str, Path]):
    escaped = b'{"text": "\\u0074ext 1", "chunk_id": "c1"}\n'
    paths["chunks"].write_bytes(jsonl([*CHUNKS, CHUNKS[0]]) + escaped)
    dataset = load(paths)
    assert dataset.num_chunks == 4
    assert dataset.rejected == []
    assert dataset.warnings == [
        f"{paths['chunks']}: 2 rows repeat the id and the text of an earlier chunk; "
        "the first of each was used"
    ]


@pytest.mark.parametrize(
    ("array", "reason", "place", "message", "questions"),
    [
        (
            "[A, B",
            "truncated_json",
            "1:85",
            "the array never ends; expected ',' or ']' after a row",
            2,
        ),
        ("[A, B,", "truncated_json", "1:86", "the row ends in the middle of a JSON value", 2),
        (
            '[A, {"question": "b',
            "truncated_json",
            "1:57",
            "a string that starts here never ends",
            1,
        ),
        ("[A,\n B] C", "trailing_data", "2:45", "something follows the array", 2),
        ("[A B]", "invalid_json", "1:43", "the array's rows cannot be told apart from here on", 1),
        (
            "[A,, B]",
            "invalid_json",
            "1:43",
            "the array's rows cannot be told apart from here on",
            1,
        ),
        ("[A, 7, B]", "wrong_type", "1:44", "the row is an integer; expected a JSON object", 2),
        ("[A, {}, B]", "missing_field", "1:44", 'the row has no "question"', 2),
        ("[A, {NaN}, B]", "not_finite", "1:45", "NaN is not JSON", 2),
    ],
)
def test_bad_arrays(
    paths: dict[str, Path], array: str, reason: str, place: str, message: str, questions: int
):
    rows = {letter: json.dumps(row) for letter, row in zip("AB", QA, strict=True)}
    text = array.replace("A", rows["A"], 1).replace("B", rows["B"], 1)
    paths["qa"].write_text(text)
    with pytest.raises(InputError) as caught:
        load(paths)
    assert str(caught.value).startswith(f"{paths['qa']}:{place}: {message}")
    assert caught.value.reason == reason
    dataset = load(paths, on_error="skip")
    assert dataset.num_qa == questions
    assert dataset.rejected_counts == {reason: 1}
    [rejected] = dataset.rejected
    assert rejected.row == "" or text.find(rejected.row) > 0


def test_brackets_that_do_not_match_take_the_rest_of_an_array_with_them(paths: dict[str, Path]):
    first, second = map(json.dumps, QA)
    paths["qa"].write_text(f'[{first}, {{"x": [}}, {second}]')
    dataset = load(paths, on_error="skip")
    assert list(dataset.questions) == ["first?"]
    assert [rejected.row for rejected in dataset.rejected] == [f'{{"x": [}}, {second}]', ""]
    assert dataset.rejected_counts == {"invalid_json": 1, "truncated_json": 1}


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize(
    "contents", [b"", b"\xef\xbb\xbf", b" \n\r\n", b"[ ]", gzip.compress(b"", mtime=0), zstd(b"")]
)
@pytest.mark.parametrize("on_error", ["strict", "skip"])
def test_an_empty_file(paths: dict[str, Path], name: str, contents: bytes, on_error: str):
    paths[name].write_bytes(contents)
    with pytest.raises(
        InputError, match=r":1:1: the file is empty; expected at least one row"
    ) as caught:
        load(paths, on_error)
    assert (caught.value.reason, caught.value.file) == ("empty_file", str(paths[name]))


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_without_one_good_row(paths: dict[str, Path], name: str):
    paths[name].write_bytes(b"{}\n{\n")
    with pytest.raises(
        InputError,
        match="every row of the file was rejected: 1 missing_field, 1 truncated_json; the first, ",
    ):
        load(paths, on_error="skip")


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_and_a_folder(paths: dict[str, Path], tmp_path: Path, name: str):
    with pytest.raises(FileNotFoundError) as missing:
        load({**paths, name: tmp_path / "nowhere"})
    assert missing.value.filename == str(tmp_path / "nowhere")
    with pytest.raises(IsADirectoryError) as folder:
        load({**paths, name: tmp_path})
    assert folder.value.filename == str(tmp_path)


def test_a_file_that_shrinks_while_it_is_read():
    # For this file the kernel reports a page of bytes, but returns fewer.
    path = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not path.exists() or path.stat().st_size <= len(path.read_bytes()):
        pytest.skip(f"{path} is not there or is as long as it says: nothing shrinks")
    with pytest.raises(InputError, match="the file became shorter while it was read") as caught:
        Annotations.load(path)
    assert caught.value.reason == "file_shrank"


def test_a_mapped_file_may_be_replaced(paths: dict[str, Path], tmp_path: Path):
    text = "a text of some length, a good many times over" * 20
    rows = [{"chunk_id": f"c{i}", "text": f"{i} {text}"} for i in range(6000)]
    paths["chunks"].write_bytes(jsonl(rows))
    mapped, read = (Dataset.load(**paths, memory_map=choice) for choice in (True, False))
    (tmp_path / "new").write_bytes(b"{}")
    (tmp_path / "new").replace(paths["chunks"])
    for dataset in (mapped, read):
        assert list(dataset.chunk_texts) == [row["text"] for row in rows]


@pytest.mark.parametrize("on_error", ["strict", "skip"])
@pytest.mark.parametrize("form", ["gzip", "zstd"])
def test_a_damaged_archive(paths: dict[str, Path], form: str, on_error: str):
    rows = jsonl([{"chunk_id": str(i), "text": f"{i * i}"} for i in range(20_000)])
    paths["chunks"].write_bytes(FORMS[form](rows)[:-100])
    with pytest.raises(InputError, match="data is cut off or damaged after") as caught:
        load(paths, on_error)
    error = caught.value
    assert (error.reason, error.file) == ("corrupt_archive", str(paths["chunks"]))
    assert 10_000 < error.line <= 20_001


def test_the_first_of_many_errors_is_told(paths: dict[str, Path]):
    rows = jsonl(
        [{"chunk_id": i, "text": "long enough to fill many pieces " * 9} for i in range(9000)]
    )
    lines = rows.splitlines(keepends=True)
    lines[8000] = b"{}\n"
    lines[4321] = lines[17]
    lines[4000] = b'{"chunk_id": 3999, "text": "another"}\n'
    lines[5000] = b"\xff\n"
    paths["chunks"].write_bytes(b"".join(lines))
    for _ in range(5):
        with pytest.raises(InputError, match=r":4001:14: the chunk id .3999. has been given"):
            load(paths)


@pytest.mark.parametrize("available", [1, 5])
def test_fewer_chunks_than_negatives(paths: dict[str, Path], available: int):
    paths["chunks"].write_bytes(
        jsonl([{"id": f"c{i}", "text": str(i)} for i in range(available + 2)])
    )
    two = {"question": "both?", "chunk_ids": ["c1", "c2"], "qa_id": "two"}
    paths["qa"].write_bytes(jsonl([QA[0], two]))
    dataset = load(paths)
    assert len(dataset.construct(negatives=available)) == 2
    message = (
        rf'2:1: question "two": {available + 1} negatives asked for, but only {available} chunks'
    )
    with pytest.raises(InputError, match=message) as caught:
        dataset.construct(negatives=available + 1)
    assert caught.value.reason == "too_few_chunks"
    assert str(caught.value).endswith("ask for fewer negatives or give more chunks")


def test_arguments_that_make_no_sense(paths: dict[str, Path]):
    with pytest.raises(ValueError, match='on_error is "ignore"; expected "strict" or "skip"'):
        load(paths, "ignore")
    dataset = load(paths)
    with pytest.raises(ValueError, match="negatives is 0; expected at least 1"):
        dataset.construct(negatives=0)
    with pytest.raises(ValueError, match="negatives is -1; expected 0 or more"):
        dataset.construct(negatives=-1)
    with pytest.raises(ValueError, match="seed is -1; expected 0 or more"):
        dataset.construct(negatives=1, seed=-1)


SAMPLE = {
    "question": "q?",
    "ground_truth_contexts": ["a"],
    "negative_contexts": ["b", "c"],
    "qa_id": "1",
    "gt_chunk_id": "A",
}


@pytest.mark.parametrize(
    ("change", "reason", "message"),
    [
        ({"qa_id": None}, "missing_field", 'the row has no "qa_id"'),
        ({"ground_truth_contexts": []}, "missing_field", '"ground_truth_contexts" is empty'),
        (
            {"negative_contexts": "b"},
            "wrong_type",
            '"negative_contexts" is a string; expected a list',
        ),
        ({"negative_contexts": ["b", 2]}, "wrong_type", 'an element of "negative_contexts"'),
        ({"negative_contexts": ["b", " "]}, "empty_text", '"negative_contexts" is empty or only'),
        (
            {"negative_chunk_ids": ["B"]},
            "length_mismatch",
            '"negative_chunk_ids" has 1 elements, "negative_contexts" has 2; expected one id a text',
        ),
        ({"gt_grades": [0]}, "no_relevant_chunk", 'an element of "gt_grades" is not above 0'),
        ({"gt_grades": [1, 2]}, "length_mismatch", '"gt_grades" has 2 elements, "ground_truth_'),
        ({"gt_chunk_ids": ["A", "B"]}, "length_mismatch", '"gt_chunk_ids" has 2 elements'),
        ({"qa_id": "0"}, "duplicate_qa_id", 'the question id "0" has been given before'),
        ({"question": ""}, "empty_question", '"question" is empty'),
    ],
)
def test_bad_samples(tmp_path: Path, change: dict[str, Any], reason: str, message: str):
    path = tmp_path / "samples.jsonl"
    good = [{**SAMPLE, "qa_id": qa_id} for qa_id in ("0", "2")]
    path.write_bytes(jsonl([good[0], {**SAMPLE, **change}, good[1]]))
    with pytest.raises(InputError) as caught:
        Samples.load_jsonl(path)
    assert (caught.value.line, caught.value.reason) == (2, reason)
    assert message in str(caught.value)
    samples = Samples.load_jsonl(path, on_error="skip")
    assert samples.rejected_counts == {reason: 1}
    assert list(samples.qa_ids) == ["0", "2"]
    assert samples.candidates.tolist() == [0, 1, 2, 0, 1, 2]


def test_a_number_that_no_sample_has(tmp_path: Path, paths: dict[str, Path]):
    samples = load(paths).construct(negatives=1)
    with pytest.raises(ValueError, match="there is no sample 2; expected numbers from 0 to 1"):
        samples.write_jsonl(tmp_path / "out.jsonl", np.array([0, 2]))
    assert not (tmp_path / "out.jsonl").exists()
