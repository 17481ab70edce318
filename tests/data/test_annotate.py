"""Entity annotations in Python: the library's call, and what is counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import stage2
from stage2.data.annotate import annotate, coverage, find_names
from tests.small import write_jsonl


@pytest.fixture
def names(tmp_path: Path) -> Path:
    rows = [
        {"name": "Edmond Dantès", "label": "PERSON", "aliases": ["Dantès"]},
        {"name": "Marseilles", "label": "GPE"},
        {"name": "Mercédès"},
        {"name": "Faria", "label": "PERSON"},
    ]
    return write_jsonl(tmp_path / "names.jsonl", rows)


def test_targets_are_those_that_a_model_takes(names: Path) -> None:
    assert stage2.annotate is annotate
    texts = ["In Marseilles Edmond Dantès met Mercédès.", "", "DANTÈS"]
    found = annotate(texts, names)
    assert found == [
        [
            {"span_text": "Marseilles", "char_start": 3, "char_end": 13, "label": "GPE"},
            {"span_text": "Edmond Dantès", "char_start": 14, "char_end": 27, "label": "PERSON"},
            {"span_text": "Mercédès", "char_start": 32, "char_end": 40},
        ],
        [],
        [],
    ]
    assert annotate(texts, stage2.Gazetteer.load(names)) == found
    assert len(annotate(texts, names, ignore_case=True)[2]) == 1
    with pytest.raises(ValueError, match="--unicode-form is 'nfd'"):
        annotate(texts, names, unicode_form="nfd")


def test_a_model_takes_the_targets(names: Path, model: stage2.ProbabilisticGBERTV4) -> None:
    texts = ["Edmond Dantès", "nobody"]
    vectors = model.encode(texts, entities=annotate(texts, names))
    assert vectors.has_entity.tolist() == [True, False]


def test_what_is_counted(names: Path) -> None:
    texts = ["Dantès and Edmond Dantès", "Mercédès", "nobody"]
    found = coverage(
        find_names(texts, stage2.Gazetteer.load(names)),
        {"questions": texts[:1], "chunks": [*texts, texts[1]]},
    )
    assert found.with_entity == {"questions": (1, 1), "chunks": (3, 4)}
    assert found.known == 4
    assert found.never_met == ["Marseilles", "Faria"]
    assert found.names == [("Edmond Dantès", 2), ("Mercédès", 1)]
    assert found.labels == [("PERSON", 2, 1), ("", 1, 1)]


def test_every_span_of_chinese_answers_is_their_text(xquad: Path, tmp_path: Path) -> None:
    """Offsets are code points of the text as it is given."""
    articles = json.loads((xquad / "xquad.zh.json").read_text(encoding="utf-8"))["data"]
    parts = [part for article in articles for part in article["paragraphs"]]
    questions = [question for part in parts for question in part["qas"]]
    answers = {answer["text"] for question in questions for answer in question["answers"]}
    texts = [part["context"] for part in parts] + [question["question"] for question in questions]
    path = write_jsonl(tmp_path / "answers.jsonl", [{"name": name} for name in sorted(answers)])
    for form in ("none", "nfc"):
        found = annotate(texts, path, unicode_form=form)
        for text, targets in zip(texts, found, strict=True):
            ends = [0]
            for target in targets:
                assert text[target["char_start"] : target["char_end"]] == target["span_text"]
                assert target["span_text"] in answers
                assert target["char_start"] >= ends[-1]
                ends.append(target["char_end"])
        assert all(found[: len(parts)]), "every paragraph has an answer"
        assert sum(map(len, found)) > 10 * len(parts)
