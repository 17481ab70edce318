"""Names of a gazetteer in texts: the twin, the files, what is said about them."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stage2._core import Annotations, Gazetteer, InputError, write_annotations
from tests import reference
from tests.small import write_jsonl

# Letters whose case, width and composition differ in length; accents, a conjoining vowel, a skin
# tone, a joiner; scripts with spaces and without; what names begin and end with.
ALPHABETS = [
    "ab AB",
    "aA\u0301e\u0308 .",
    "iıİI\u0307 ",
    "sSßẞſ ",
    "kK\u212aåÅ\u212b ",
    "日本語ー々a ",
    "กรุงa 한글\u1100\u1161",
    "ﬁfi１1㎞km ａ",
    "👍🏽👩\u200d💻🇩🇪a ",
    "c++ .#_1\n\u3000",
    "α\u0345ᾳΣσς ",
]


@st.composite
def names_and_texts(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    letters = st.sampled_from(draw(st.sampled_from(ALPHABETS)))
    visible = st.text(letters, min_size=1, max_size=5).filter(str.strip)
    names = draw(st.lists(visible, min_size=1, max_size=6))
    pieces = st.one_of(st.sampled_from(names), st.text(letters, max_size=3))
    texts = draw(st.lists(st.lists(pieces, max_size=6).map("".join), min_size=1, max_size=4))
    return names, texts


@given(names_and_texts(), st.booleans(), st.sampled_from(["none", "nfc", "nfkc"]))
@example((["New York", "New York C"], ["New York City"]), False, "nfc")
@example((["é", "e"], ["e\u0301 e é"]), True, "nfc")
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_automaton_answers_as_the_twin(
    tmp_path: Path, drawn: tuple[list[str], list[str]], ignore_case: bool, form: str
) -> None:
    names, texts = drawn
    path = write_jsonl(tmp_path / "names.jsonl", [{"name": name} for name in names])
    gazetteer = Gazetteer.load(path, ignore_case=ignore_case, unicode_form=form)
    spans, offsets, found = gazetteer.find(texts)
    assert spans.dtype == offsets.dtype == found.dtype == np.int64
    for i, text in enumerate(texts):
        some = slice(offsets[i], offsets[i + 1])
        ours = [(*span, name) for span, name in zip(spans[some].tolist(), found[some], strict=True)]
        assert ours == reference.find_names(names, text, ignore_case, form)


def test_case_is_folded_as_unicode_has_it(tmp_path: Path) -> None:
    """Every character with a folding is found by it, and by itself."""
    chars = [
        char
        for char in map(chr, range(0x110000))
        if reference.fold(char) != char and unicodedata.category(char) != "Cn"
    ]
    assert len(chars) > 1300
    path = write_jsonl(
        tmp_path / "names.jsonl", [{"name": name} for name in {*map(reference.fold, chars)}]
    )
    spans, offsets, _ = Gazetteer.load(path, ignore_case=True, unicode_form="none").find(chars)
    assert offsets.tolist() == list(range(len(chars) + 1))
    assert {tuple(span) for span in spans.tolist()} == {(0, 1)}


def load(path: Path, text: str, **how: object) -> Gazetteer:
    path.write_text(text, encoding="utf-8")
    return Gazetteer.load(path, **how)  # type: ignore[arg-type]


def test_every_form_of_the_file_gives_the_same(tmp_path: Path) -> None:
    table = "label\tname\taliases\nGPE\tNew York\tNYC|Big Apple\n\tEdmond\t\n"
    rows = [
        {"name": "New York", "label": "GPE", "aliases": ["NYC", "Big Apple"]},
        {"name": "Edmond", "type": None},
    ]
    texts = ["Edmond left NYC, the Big Apple", "New York"]
    for gazetteer in (
        load(tmp_path / "names.tsv", table),
        Gazetteer.load(write_jsonl(tmp_path / "names.jsonl", rows)),
        load(tmp_path / "names.json", json.dumps(rows)),
    ):
        assert list(gazetteer.names) == ["New York", "Edmond"]
        assert list(gazetteer.labels) == ["GPE", ""]
        spans, offsets, names = gazetteer.find(texts)
        assert spans.tolist() == [[0, 6], [12, 15], [21, 30], [0, 8]]
        assert offsets.tolist() == [0, 3, 4]
        assert names.tolist() == [1, 0, 0, 0]
    plain = load(tmp_path / "names.txt", "\ufeffNew York\r\n\n Edmond \n")
    assert plain.find(texts)[0].tolist() == [[0, 6], [0, 8]]


def test_the_spans_of_annotations_are_names(tmp_path: Path) -> None:
    rows = [
        {"text": "é Dantès, Dantès", "targets": [
            {"char_start": 2, "char_end": 8}, {"char_start": 10, "char_end": 16}]},
        {"text": "La\nCarconte", "targets": [{"char_start": 0, "char_end": 11}]},
        {"text": "LA  CARCONTE", "targets": [{"char_start": 0, "char_end": 12}]},
    ]  # fmt: skip
    path = write_jsonl(tmp_path / "entities.jsonl", rows)
    gazetteer = Gazetteer.load(path, ignore_case=True)
    assert list(gazetteer.names) == ["Dantès", "LA CARCONTE", "La Carconte"]
    assert gazetteer.warnings == []


def test_what_may_be_wrong_is_said_with_its_line(tmp_path: Path) -> None:
    table = "name\tlabel\nParis\tGPE\nA\tX\nparis\tPERSON\nRome\t\nROME\t\nbe\tX\n"
    path = tmp_path / "names.tsv"
    assert load(path, table, ignore_case=True).warnings == [
        f'{path}: 1 names have one character, and are found wherever it stands by itself (a '
        'min_length of 2 leaves them out): "A" in line 3',
        f'{path}: 1 names repeat an earlier one, whose row is used: "ROME" in line 6 as in line 5',
        f'{path}: 1 names have two labels, of which the first is used: "paris" has the label "GPE" '
        'in line 2 and the label "PERSON" in line 4',
    ]  # fmt: skip
    [said] = load(path, table, min_length=3).warnings
    assert said == (
        f'{path}: 2 names of fewer than 3 characters are left out: "A" in line 3; "be" in line 7'
    )
    many = load(path, "name\n" + "same\n" * 9).warnings
    assert many == [
        f'{path}: 8 names repeat an earlier one, whose row is used: "same" in line 3 as in line 2; '
        '"same" in line 4 as in line 2; "same" in line 5 as in line 2; and 5 more'
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("n.jsonl", '{"name": "a"}\n{"name": " \\n"}\n', ':2:10: "name" is empty or only white'),
        ("n.jsonl", '{"name": 3}', ':1:10: "name" is an integer; expected a string'),
        ("n.jsonl", '{"label": "x"}', ':1:1: the row has no "name"'),
        ("n.jsonl", '{"name": "a", "aliases": ["b", ""]}', ":1:32: an alias is empty"),
        ("n.jsonl", '{"name": "a", "aliases": "b"}', 'expected a list'),
        ("n.jsonl", '{"name": "a"', ":1:"),
        ("n.tsv", "nom\tlabel\na\tb\n", ":1:1: the first line is"),
        ("n.tsv", "name\tlabel\na\n", ":2:1: the line has 1 columns; expected 2"),
        ("n.tsv", "label\tname\nX\t \n", ":2:3: the name is empty"),
        ("n.tsv", "name\taliases\nX\ta||b\n", ":2:5: an alias is empty"),
        ("n.tsv", "name\n", "the file has no name"),
        ("n.tsv", "\n", "the file has no name"),
        ("n.txt", "a\n\u3000\n", ":2:1: the name is empty"),
        ("n.txt", "\n", "the file has no name"),
    ],
)  # fmt: skip
def test_a_bad_row_is_an_error_or_left_out(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as raised:
        Gazetteer.load(path)
    assert said in str(raised.value)
    good = '{"name": "good"}' if name == "n.jsonl" else "good"
    if name == "n.tsv" and text.count("\n") > 1 and not text.startswith("nom"):
        good = "\t".join(["good"] * len(text.splitlines()[0].split("\t")))
    if raised.value.line > 1 or name == "n.jsonl":
        path.write_text(text.rstrip("\n") + f"\n{good}\n", encoding="utf-8")
        loaded = Gazetteer.load(path, on_error="skip")
        assert [row.line for row in loaded.rejected] == [raised.value.line]
        assert list(loaded.names)[-1] == "good"


@pytest.mark.parametrize(
    ("name", "how", "said"),
    [
        ("names.csv", {}, "is no gazetteer by the end of its name; expected .txt"),
        ("names", {}, "is no gazetteer"),
        ("n.txt", {"unicode_form": "nfd"}, 'unicode_form is "nfd"; expected "nfc"'),
        ("n.txt", {"min_length": 9}, "every name has fewer than 9 characters"),
        ("n.txt", {"min_length": -1}, "min_length is -1"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, name: str, how: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        load(tmp_path / name, "name\n", **how)


def test_annotations_are_written_as_they_are_read(tmp_path: Path) -> None:
    texts = ['中 "é"\n', "", "ab"]
    path = tmp_path / "entities.jsonl"
    spans, offsets = np.array([[0, 1], [3, 4], [0, 2]]), np.array([0, 2, 2, 3])
    write_annotations(path, texts, spans, offsets, ["X", "", 'a"'])
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert rows[0] == {
        "text": texts[0],
        "targets": [
            {"span_text": "中", "char_start": 0, "char_end": 1, "label": "X"},
            {"span_text": "é", "char_start": 3, "char_end": 4},
        ],
    }
    assert rows[2]["targets"][0]["label"] == 'a"'
    read = Annotations.load(path, on_error="skip")
    assert read.spans.tolist() == spans.tolist()
    for bad_spans, bad_offsets, labels, said in [
        ([[0, 3]], [0, 0, 0, 1], ["X"], "text 2 has a span 0..3; expected"),
        ([[1, 1]], [0, 1, 1, 1], ["X"], "text 0 has a span 1..1"),
        ([[0, 1]], [0, 1, 1], ["X"], "the offsets do not fit 3 texts"),
        ([[0, 1]], [0, 2, 1, 1], ["X"], "the offsets do not fit"),
        ([[0, 1]], [0, 1, 1, 1], [], "there are 0 labels for 1 spans"),
        ([[0, 1, 2]], [0, 1, 1, 1], ["X"], "spans has 3 columns"),
    ]:
        with pytest.raises(ValueError, match=said):
            write_annotations(path, texts, np.array(bad_spans), np.array(bad_offsets), labels)
    assert Annotations.load(path, on_error="skip").spans.tolist() == spans.tolist()
