"""When two texts are the same, and why one question then has one set of answers."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2._core import Dataset, Samples, same_text, text_key
from stage2.data.splits import group_questions
from tests import reference
from tests.conftest import read_jsonl
from tests.small import write_jsonl

# Letters that keys unify, letters that they must keep apart, and combining characters.
PIECES = st.sampled_from(
    [
        *(" ", "\n", "\u3000", "\u00a0", "\x1c", "\u0301", "\u0323", "\u3099", "\u200d", "\u212b"),
        *("e\u0301", "I\u0307", "\u1100", "\u1161", "\u11a8"),
        *"a A b é É ä ß ss ẞ İ i ı Σ σ ς Å Ａ ａ １ 1 ① ² 2 + ＋ - # ＃ ? ？ ﬁ Д д 😀".split(),
        *"カ ｶ ﾞ ガ が 가 각 ﾡ 日 ￣ ￥".split(),
    ]
)
# Code points that are newer than Python's Unicode are not tested.
ANY = st.characters(exclude_categories=("Cn", "Cs"))
TEXT = st.lists(PIECES | ANY, max_size=8).map("".join)
LONG = st.builds(lambda start, times, end: start * times + end, TEXT, st.integers(1, 90), TEXT)


@given(TEXT | LONG)
def test_a_key_is_what_its_twin_says(text: str):
    key = text_key(text)
    assert key == reference.text_key(text)
    assert text_key(key) == key
    for form in ("NFC", "NFD"):
        assert text_key(unicodedata.normalize(form, text)) == key


def test_every_code_point_has_the_key_that_its_twin_has():
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        if unicodedata.category(char) in ("Cs", "Cn"):
            continue
        assert text_key(char) == reference.text_key(char), hex(code)


@given(st.lists(TEXT | LONG, max_size=12), st.data())
def test_the_first_of_the_same_text(texts: list[str], data: st.DataObject):
    repeats = [text.upper() + " " for text in texts if data.draw(st.booleans())]
    texts = data.draw(st.permutations(texts + repeats))
    found = same_text(texts)
    assert found.dtype == np.int64
    assert found.tolist() == reference.same_text(texts)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Who made C++?", "Who made C#?"),
        ("The charge is +2.", "The charge is -2."),
        ("x²", "x2"),
        ("①", "1"),
        ("Who?", "Who"),
        ("in Maßen", "in Massen"),
        ("5 > 3", "5 < 3"),
        ("$5", "€5"),
        ("2.5", "25"),
    ],
)
def test_what_carries_meaning_tells_texts_apart(one: str, other: str):
    assert same_text([one, other]).tolist() == [0, 1]


def test_many_texts_on_any_number_of_threads():
    call = """
import random
from stage2._core import same_text
draw = random.Random(0)
texts = [f"{'the same opening ' * 4}{draw.randrange(20_000)}" for _ in range(40_000)]
texts = [draw.choice([str.upper, str.title, str.lower])(text) for text in texts]
first = {}
expected = [first.setdefault(text.lower(), i) for i, text in enumerate(texts)]
assert same_text(texts).tolist() == expected
"""
    for threads in (1, 2, 5):
        environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
        subprocess.run([sys.executable, "-c", call], env=environment, check=True)


def test_what_is_no_text_is_refused():
    with pytest.raises(TypeError):
        same_text("abc")
    with pytest.raises(TypeError):
        same_text([None])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        text_key(3)  # type: ignore[arg-type]
    assert same_text([]).tolist() == []


# --- one question, one set of answers -------------------------------------------------------------

CHUNKS = [{"chunk_id": name, "text": f"The text of {name}."} for name in "abcdefgh"]


def load(folder: Path, qa: list[dict[str, Any]], chunks: Any = CHUNKS, **more: Any) -> Dataset:
    paths = write_jsonl(folder / "qa.jsonl", qa), write_jsonl(folder / "chunks.jsonl", chunks)
    return Dataset.load(*paths, **more)


def relevant(dataset: Dataset) -> list[list[str]]:
    parts = np.split(dataset.relevant, dataset.relevant_offsets[1:-1])
    return [dataset.chunk_ids.take(part) for part in parts]


def test_rows_of_one_question_share_their_ground_truths(tmp_path: Path):
    qa = [
        {"question": "Who sailed?", "chunk_id": "a"},
        {"question": "Who hid?", "chunk_ids": ["a", "c"]},
        {"question": "who  SAILED？", "chunk_ids": ["b", "d"]},
        {"question": "Who sailed", "chunk_id": "e"},
        {"question": "Who sailed?", "chunk_ids": ["d", "a"]},
    ]
    dataset = load(tmp_path, qa)
    assert relevant(dataset) == [
        ["a", "b", "d"], ["a", "c"], ["b", "d", "a"], ["e"], ["d", "a", "b"],
    ]  # fmt: skip
    (warning,) = dataset.warnings
    assert "1 questions are given in several rows, 3 in all" in warning
    for seed in range(20):
        samples = dataset.construct(4, seed)
        assert len(samples) == 5
        for row, own in enumerate(relevant(dataset)):
            start, end = samples.offsets[row : row + 2]
            found = samples.context_ids.take(samples.candidates[start:end])
            assert found[: len(own)] == own
            assert len(set(found)) == len(own) + 4


def test_a_chunk_with_the_text_of_a_ground_truth_is_no_negative(tmp_path: Path):
    chunks = [*CHUNKS, {"chunk_id": "copy", "text": "the  text of A."},
              {"chunk_id": "other", "text": "The text of a!"}]  # fmt: skip
    qa = [{"question": f"Question {i}?", "chunk_id": name} for i, name in enumerate("aab")]
    dataset = load(tmp_path, qa, chunks)
    drawn = []
    for seed in range(40):
        samples = dataset.construct(8, seed)
        parts = np.split(samples.candidates, samples.offsets[1:-1])
        drawn += [set(samples.context_ids.take(part)[1:]) for part in parts[:2]]
    assert all("copy" not in ids and "a" not in ids for ids in drawn)
    # Two of ten chunks are excluded, and all others are drawn.
    assert drawn[0] == {*"bcdefgh", "other"}
    with pytest.raises(ValueError, match="only 8 chunks are neither a ground truth"):
        dataset.construct(9)


def test_a_copy_of_a_ground_truth_is_given_once(tmp_path: Path):
    chunks = [*CHUNKS, {"chunk_id": "copy", "text": "THE TEXT OF A."}]
    qa = [{"question": "Who?", "chunk_id": "a"}, {"question": "who?", "chunk_id": "copy"},
          {"question": "What?", "chunk_ids": ["copy", "a"]}]  # fmt: skip
    assert relevant(load(tmp_path, qa, chunks)) == [["a"], ["copy"], ["copy", "a"]]


def test_a_question_in_too_many_rows_is_refused(tmp_path: Path):
    count = 12_000
    chunks = [{"chunk_id": i, "text": str(i)} for i in range(count)]
    qa = [{"question": "The same?", "chunk_id": i} for i in range(count)]
    with pytest.raises(ValueError, match=r"qa\.jsonl:1:1: the question is asked in 12000 rows"):
        load(tmp_path, qa, chunks)


def sample(qa_id: str, question: str, truths: str, negatives: str, **more: Any) -> dict[str, Any]:
    return {
        "question": question,
        "ground_truth_contexts": [f"text {name}" for name in truths],
        "negative_contexts": [f"Text  {name}" for name in negatives],
        "qa_id": qa_id,
        "gt_chunk_id": truths[0],
        "gt_chunk_ids": list(truths),
        "negative_chunk_ids": list(negatives),
    } | more


def test_samples_of_one_question_share_their_ground_truths(tmp_path: Path):
    rows = [
        sample("1", "Who?", "a", "bcd", note={"kept": 1.50}),
        sample("2", "who ?", "d", "ab"),
        sample("3", "WHO?", "b", "ae", answer="x"),
        sample("4", "Who?", "c", "c"),
    ]
    del rows[3]["gt_chunk_ids"]
    samples = Samples.load_jsonl(write_jsonl(tmp_path / "in.jsonl", rows))
    assert samples.num_relevant.tolist() == [3, 1, 3, 3]
    assert samples.offsets.tolist() == [0, 4, 7, 11, 15]
    assert any("3 in all" in warning for warning in samples.warnings)
    assert any("3 negatives are ground truths of" in warning for warning in samples.warnings)
    samples.write_jsonl(tmp_path / "out.jsonl")
    written = read_jsonl(tmp_path / "out.jsonl")
    assert [row["gt_chunk_ids"] for row in written] == [[*"abc"], ["d"], [*"bac"], [*"cab"]]
    assert [row["negative_chunk_ids"] for row in written] == [["d"], ["a", "b"], ["e"], ["c"]]
    assert list(written[0]) == list(rows[0])
    assert (written[0]["note"], written[2]["answer"]) == ({"kept": 1.5}, "x")
    # For each text the first version is the one in the question's own row.
    assert written[0]["ground_truth_contexts"] == ["text a", "text b", "text c"]
    assert written[1] == rows[1]

    again = Samples.load_jsonl(tmp_path / "out.jsonl")
    for name in ("offsets", "num_relevant"):
        assert getattr(again, name).tolist() == getattr(samples, name).tolist()
    own = [one.context_ids.take(one.candidates) for one in (samples, again)]
    assert own[0] == own[1]
    assert not any("negatives are ground truths" in warning for warning in again.warnings)
    again.write_jsonl(tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "out.jsonl").read_bytes()


def test_samples_without_ids_share_by_text(tmp_path: Path):
    rows = [sample("1", "Who?", "a", "bc"), sample("2", "Who?", "b", "ac")]
    for row in rows:
        for name in ("gt_chunk_ids", "negative_chunk_ids"):
            del row[name]
    del rows[1]["gt_chunk_id"]
    samples = Samples.load_jsonl(write_jsonl(tmp_path / "in.jsonl", rows))
    samples.write_jsonl(tmp_path / "out.jsonl")
    written = read_jsonl(tmp_path / "out.jsonl")
    assert [row["negative_contexts"] for row in written] == [["Text  c"], ["Text  c"]]
    assert [row["ground_truth_contexts"] for row in written] == [
        ["text a", "text b"], ["text b", "text a"],
    ]  # fmt: skip
    assert all("gt_chunk_ids" not in row for row in written)


# --- two names for one thing ----------------------------------------------------------------------


def test_chunk_id_and_chunk_ids_are_joined(tmp_path: Path):
    qa = [
        {"question": "1", "chunk_id": "a", "chunk_ids": ["b", "c"]},
        {"question": "2", "chunk_ids": ["b", "a"], "chunk_id": "a"},
        {"question": "3", "chunk_id": "a", "chunk_ids": []},
        {"question": "4", "chunk_id": "a", "chunk_ids": None},
    ]
    assert relevant(load(tmp_path, qa)) == [["a", "b", "c"], ["a", "b"], ["a"], ["a"]]
    for ids, message in [(["b", "b"], "named twice"), ("b", "expected a list"),
                         ([{}], "expected a string or an integer")]:  # fmt: skip
        with pytest.raises(ValueError, match=message):
            load(tmp_path, [{"question": "1", "chunk_id": "a", "chunk_ids": ids}])


def test_other_values_under_another_name_are_told(tmp_path: Path):
    chunks = [
        {"chunk_id": "a", "id": "a", "text": "one", "content": "one"},
        {"chunk_id": "b", "id": 7, "text": "two", "content": "2", "input": "two"},
        {"chunk_id": "c", "id": 8, "text": "three", "_id": None},
        {"_id": "d", "chunk_text": "four", "content": "4"},
    ]
    qa = [{"question": "?", "chunk_id": "a", "qa_id": "1", "id": "x"},
          {"question": "!", "chunk_id": "a", "qa_id": "2", "id": 2}]  # fmt: skip
    dataset = load(tmp_path, qa, chunks)
    warnings = "\n".join(dataset.warnings)
    assert len(dataset.warnings) == 3
    assert f'{tmp_path}/qa.jsonl: 1 rows hold another value in "id"' in warnings
    assert f'{tmp_path}/chunks.jsonl: 2 rows hold another value in "id"' in warnings
    assert f'{tmp_path}/chunks.jsonl: 2 rows hold another value in "content"' in warnings
    assert 'of "text", "chunk_text", "input", "content" the first that a row has' in warnings
    assert list(dataset.qa_ids) == ["1", "2"]

    row = sample("1", "?", "a", "b", gt_chunk_id="z")
    samples = Samples.load_jsonl(write_jsonl(tmp_path / "samples.jsonl", [row]))
    assert 'in 1 rows "gt_chunk_id" is not the first' in samples.warnings[0]
    assert list(samples.context_ids) == ["a", "b"]


def test_questions_that_differ_in_a_symbol_are_in_two_groups(tmp_path: Path):
    rows = [
        sample("1", "Who made C++?", "a", "x"), sample("2", "Who made C#?", "b", "x"),
        sample("3", "who made “C#”", "c", "x"),
    ]  # fmt: skip
    for row, text in zip(rows, ("Stroustrup at Bell", "A team led by Anders", "MS"), strict=True):
        row["ground_truth_contexts"] = [text]
    names = group_questions(Samples.load_jsonl(write_jsonl(tmp_path / "in.jsonl", rows))).names
    assert names == ["a", "b", "b"]
