from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stage2._core import Annotations, match_annotations
from tests import reference

# Few letters, so that texts contain one another; white space of every kind; letters of one to four
# bytes, since lengths are counted in code points and keys are made of bytes.
ALPHABETS = ["a", "ab ", "ab \t\n\x1c\x85\u3000", "日本語 テ", "é😀 a\u2003"]


@st.composite
def related_texts(draw: st.DrawFn) -> list[str]:
    """Draw texts, most of which are parts or extensions of others."""
    letters = st.sampled_from(draw(st.sampled_from(ALPHABETS)))
    texts = [draw(st.text(letters, max_size=60))]
    for _ in range(draw(st.integers(1, 20))):
        base = draw(st.sampled_from(texts))
        start = draw(st.integers(0, min(5, len(base))))
        end = len(base) - draw(st.integers(0, min(5, len(base))))
        added = draw(st.text(letters, max_size=draw(st.sampled_from([0, 2, 60]))))
        texts.append(base[start:end] + added)
    return texts


@given(texts=related_texts(), annotations=related_texts(), shared=st.booleans())
@settings(max_examples=400)
def test_the_index_answers_as_a_scan(texts: list[str], annotations: list[str], shared: bool):
    if shared:
        annotations = texts[::2]
    found = match_annotations(texts, annotations)
    assert found.dtype == np.int64
    assert found.tolist() == [reference.match_annotation(text, annotations) for text in texts]


@given(st.integers(0, 2**32), st.sampled_from([12, 100, 1000]), st.integers(0, 3))
@settings(max_examples=100)
def test_long_texts_with_cut_ends(seed: int, length: int, letters: int):
    random = np.random.default_rng(seed)
    letter = [*"ab", "ü", "語"][letters]
    texts = []
    for _ in range(30):
        text = "".join(random.choice([letter, "c", " "], length))
        cut = random.integers(0, length // 8 + 1, 2)
        texts += [text, text[cut[0] : length - cut[1]]]
    annotations = [texts[i] for i in random.permutation(len(texts))[:30]]
    found = match_annotations(texts, annotations)
    assert found.tolist() == [reference.match_annotation(text, annotations) for text in texts]


@pytest.mark.parametrize("length", [*range(1, 45), 100, 101, 110, 111, 1000, 1001])
def test_lengths_at_the_border_of_a_tenth(length: int):
    # No two parts of the text are equal, so only the lengths decide.
    text = "".join(chr(0x4E00 + i) for i in range(length))
    texts = [text[: length - cut] for cut in range(length // 5 + 2)]
    assert match_annotations(texts, [text]).tolist() == [
        0 if 10 * (length - len(short)) < length else -1 for short in texts
    ]


def test_the_first_in_file_order_wins_and_the_last_of_equals_is_used():
    texts = ["one two three four"]
    assert match_annotations(texts, ["one two three four.", "one two three four"])[0] == 1
    assert match_annotations(texts, ["one two three four!", "one two three four?"])[0] == 0
    equals = ["one two three four!", "one two three four?", "one  two three\nfour!"]
    assert match_annotations(texts, equals)[0] == 2
    assert match_annotations([], equals).shape == (0,)
    assert match_annotations(texts, []).tolist() == [-1]


def test_near_copies_of_one_form_letter():
    letter = "Dear customer, we are pleased to tell you that your order has been sent. " * 5
    annotations = [f"No. {i:04} {letter}" for i in range(2000)]
    texts = [*annotations[::100], f"No. 0007 {letter}!", f"No. 9999 {letter}"]
    expected = [*range(0, 2000, 100), 7, -1]
    assert match_annotations(texts, annotations).tolist() == expected


def test_the_reference_experiment(golden: Path, monte_cristo: Path):
    lines = (monte_cristo / "entities.jsonl").read_text(encoding="utf-8").splitlines()
    annotations = [json.loads(line)["text"] for line in lines]
    cases = json.loads((golden / "entity_join.json").read_text(encoding="utf-8"))
    found = match_annotations([case["text"] for case in cases], annotations)

    distinct: dict[str, int] = {}
    for annotation in annotations:
        distinct.setdefault(" ".join(annotation.split()), len(distinct))
    for case, index in zip(cases, found, strict=True):
        normal = " ".join(annotations[index].split()) if index >= 0 else ""
        assert distinct.get(normal, -1) == case["annotation"]
        exact = normal == " ".join(case["text"].split())
        assert case["match"] == ("none" if index < 0 else "exact" if exact else "contained")


def spans_for(folder: Path, annotation: str, spans: list[tuple[int, int]], text: str):
    targets = [{"char_start": start, "char_end": end} for start, end in spans]
    path = folder / "entities.jsonl"
    path.write_text(json.dumps({"text": annotation, "targets": targets}), encoding="utf-8")
    moved, offsets = Annotations.load(path).spans_for([text])
    assert offsets.tolist() == [0, len(moved)]
    return [tuple(span) for span in moved.tolist()]


@st.composite
def annotated_text(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]], str]:
    """Draw a text with spans and a similar text, with other ends and other white space."""
    words = draw(st.lists(st.text("ab語é", min_size=1, max_size=4), min_size=8, max_size=20))
    space = st.text(" \n\t\u3000\x1f", min_size=1, max_size=3)
    outside = st.text(" \n", max_size=2)
    words[0] += "a" * 20
    normal = [" ".join(words)]
    kind = draw(st.sampled_from(["same", "longer", "shorter"]))
    room = (len(normal[0]) - 1) // 10
    cut = draw(st.integers(0, room))
    left = draw(st.integers(0, cut))
    other = normal[0][left : len(normal[0]) - (cut - left)]
    pair = {"same": normal * 2, "longer": [normal[0], other], "shorter": [other, normal[0]]}[kind]
    spaced = [
        draw(outside) + "".join(draw(space) if c == " " else c for c in text) + draw(outside)
        for text in pair
    ]
    ends = st.integers(0, len(spaced[0]))
    spans = [tuple(sorted(draw(st.tuples(ends, ends)))) for _ in range(draw(st.integers(0, 5)))]
    return spaced[0], [span for span in spans if span[0] < span[1]], spaced[1]


@given(case=annotated_text())
@example(case=("a\n b", [(1, 2)], "a\n b"))
@settings(max_examples=200)
def test_spans_move_with_their_text(tmp_path_factory, case):
    annotation, spans, text = case
    if not annotation.strip() or reference.match_annotation(text, [annotation]) < 0:
        return
    moved = spans_for(tmp_path_factory.mktemp("spans"), annotation, spans, text)
    assert moved == reference.transfer_spans(annotation, spans, text)
    covered = {" ".join(annotation[start:end].split()) for start, end in spans}
    assert {" ".join(text[start:end].split()) for start, end in moved} <= covered


def test_spans_that_fall_outside_are_dropped(tmp_path: Path):
    annotation = "Edmond Dantès was a sailor from Marseilles, and later a count."
    spans = [(0, 13), (7, 13), (32, 42), (61, 62)]
    moved = spans_for(tmp_path, annotation, spans, annotation[3:-1])
    assert moved == [(4, 10), (29, 39)]
    moved = spans_for(tmp_path, annotation, spans, f"So:  {annotation}")
    assert moved == [(5, 18), (12, 18), (37, 47), (66, 67)]
