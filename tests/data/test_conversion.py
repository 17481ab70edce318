"""Data sets from format to format: nothing is lost but what is counted."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stage2.config import InputConfig
from stage2.data.conversion import convert, counts, target_format
from stage2.data.formats import module_of
from stage2.utils.errors import BadInputError
from stage2.variants import FORMATS, HELD, WRITTEN
from tests.beir import three_files
from tests.formats import alike, questions_of, read_file, tables
from tests.small import write_jsonl

_SUFFIX = {"beir": "", "trec": "", "parquet": ".parquet"}


@pytest.mark.parametrize("name", WRITTEN)
@settings(max_examples=20)
@given(data=st.data())
def test_what_is_written_is_read_back(name: str, data: st.DataObject) -> None:
    kind = FORMATS[name]
    assert kind.holds is not None
    assert kind.holds <= HELD.keys()
    drawn = data.draw(tables(kind.holds, fractions="sides" not in kind.holds))
    assert not counts(drawn, kind)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"out{_SUFFIX.get(name, '.jsonl')}"
        assert not +module_of(name).write(drawn, path)
        back = read_file(path, format=name)
    assert list(map(alike, questions_of(back))) == list(map(alike, questions_of(drawn)))
    if "other_chunks" in kind.holds:
        assert back.chunks() == drawn.chunks()


@pytest.mark.parametrize("name", ["beir", "trec"])
def test_sides_are_files(name: str, tmp_path: Path) -> None:
    drawn = read_file(three_files(tmp_path))
    convert(InputConfig(data=str(tmp_path / "beir")), tmp_path / "out", name)
    back = read_file(tmp_path / "out", format=name)
    assert [one.side for one in questions_of(drawn)] == ["train"] * 7 + ["dev"] * 3 + [
        "test"
    ] * 4 + [None]
    assert questions_of(back) == questions_of(drawn)


def test_what_has_no_place_is_counted(tmp_path: Path) -> None:
    row = {
        "query_id": 7,
        "query": "who?",
        "answers": ["he", "him"],
        "positive_passages": [{"docid": "a", "title": "T", "text": "one"}],
        "negative_passages": [{"docid": "b", "title": "", "text": "two"}],
        "source": "x",
    }
    source = write_jsonl(tmp_path / "in.jsonl", [row])
    done = convert(InputConfig(data=str(source)), tmp_path / "out", "beir")
    assert done.left == {
        "answers": 1,
        "further answers": 1,
        "members 'source'": 1,
        "negatives": 1,
    }
    done = convert(InputConfig(data=str(source)), tmp_path / "out.jsonl", "flagembedding")
    assert done.left.keys() == {
        "answers", "further answers", "members 'source'", "ids of questions", "ids of chunks"
    }  # fmt: skip
    assert done.notes == (
        "1 titles are joined to their texts: flagembedding has no place for titles",
    )
    assert [
        one.chunk.text for one in questions_of(read_file(tmp_path / "out.jsonl"))[0].relevant
    ] == ["T one"]
    ignored = InputConfig(data=str(source), title="ignore")
    done = convert(ignored, tmp_path / "bare.jsonl", "flagembedding")
    assert done.left["titles"] == 1


def test_scores_that_not_all_texts_have_are_counted(tmp_path: Path) -> None:
    rows = [
        {
            "query": "a",
            "pos": ["x"],
            "neg": ["y", "z"],
            "pos_scores": [0.5],
            "neg_scores": [0.1, 0],
        },
        {"query": "b", "pos": ["x"], "neg": ["y", "w"]},
        {"query": "c", "pos": ["y"], "neg": ["x", "w"], "pos_scores": [2]},
    ]
    source = write_jsonl(tmp_path / "in.jsonl", rows)
    settings_ = InputConfig(data=str(source))
    done = convert(settings_, tmp_path / "st.jsonl", "sentence-transformers")
    assert done.left == {"scores of a teacher, which not all texts have": 4}
    done = convert(settings_, tmp_path / "flag.jsonl", "flagembedding")
    assert not done.left
    assert questions_of(read_file(tmp_path / "flag.jsonl")) == questions_of(read_file(source))


def test_a_target_is_never_replaced_and_a_failure_leaves_none(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", [{"anchor": "a b", "docs": ["x"], "labels": [0.5]}])
    before = source.read_bytes()
    with pytest.raises(BadInputError, match="is there already"):
        convert(InputConfig(data=str(source)), source, "flagembedding")
    assert source.read_bytes() == before
    for name in ("beir", "trec"):
        with pytest.raises(BadInputError, match="1 grades are no whole numbers"):
            convert(InputConfig(data=str(source)), tmp_path / "out", name)
    spaced = write_jsonl(
        tmp_path / "id.jsonl",
        [{"query_id": "a b", "query": "q", "positive_passages": [{"docid": "1", "text": "x"}]}],
    )
    with pytest.raises(BadInputError, match="the id 'a b' has white space"):
        convert(InputConfig(data=str(spaced)), tmp_path / "out", "trec")
    with pytest.raises(BadInputError, match="CSV has no place for lists"):
        convert(InputConfig(data=str(source)), tmp_path / "out.csv", "sentence-transformers")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["id.jsonl", "in.jsonl"]


def test_the_target_tells_its_format() -> None:
    assert target_format(Path("out"), None) == "beir"
    assert target_format(Path("out.PARQUET"), None) == "parquet"
    assert target_format(Path("out.x"), "trec") == "trec"
    with pytest.raises(BadInputError, match="tells no format; expected --to beir or trec"):
        target_format(Path("out.jsonl"), None)
