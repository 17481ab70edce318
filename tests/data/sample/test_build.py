"""The built-in sample: its size, its bytes, and the cases that it covers."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stage2 import Dataset, match_annotations
from stage2.data.sample.build import Dice, Facts, Question, SamplePaths, write_sample
from stage2.data.sample.events import EVENTS
from stage2.data.sample.words import FEASTS, PEOPLE, TRADES

# The hashes of the three files for seed 0. After a change of words, measure the sample anew.
DIGESTS = {
    "qa.json": "3e49018f2b9da4e251a323d0c7122b3323aa4576584644695154d3b5b82b5c9e",
    "chunks.jsonl": "0b91f774a7aacf1959e6398dda9694f963b4a7b7c0aa82cabfdff0fa44d68975",
    "entities.jsonl": "7c67c78a67e580a26cc36acc8ce0babb5a17415a854f926d97cbba0f1a2cbf2d",
}


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> SamplePaths:
    return write_sample(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def dataset(paths: SamplePaths) -> Dataset:
    return Dataset.load(paths.qa, paths.chunks, paths.entities)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def normalised(text: str) -> str:
    return " ".join(text.split())


def test_its_size_is_the_reference_experiments(paths: SamplePaths, dataset: Dataset) -> None:
    assert (dataset.num_qa, dataset.num_chunks, dataset.num_annotations) == (50, 1231, 1463)
    assert dataset.warnings == []
    assert len(set(dataset.chunk_texts)) == 1231
    assert len({normalised(row["text"]) for row in rows(paths.entities)}) == 1463


def test_its_bytes_are_the_same_everywhere(paths: SamplePaths) -> None:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    assert found == DIGESTS


def test_a_seed_is_a_sample(paths: SamplePaths, tmp_path: Path) -> None:
    again, other = write_sample(tmp_path / "again"), write_sample(tmp_path / "other", seed=1)
    for first, second, third in zip(paths, again, other, strict=True):
        assert first.read_bytes() == second.read_bytes()
        assert first.read_bytes() != third.read_bytes()


def test_writing_replaces_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "qa.json").write_text("old")
    paths = write_sample(tmp_path)
    assert len(json.loads(paths.qa.read_text(encoding="utf-8"))) == 50
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in paths)


def test_chunks_are_short(dataset: Dataset) -> None:
    lengths = [len(text.split()) for text in dataset.chunk_texts]
    assert min(lengths) >= 12
    assert max(lengths) <= 40
    assert np.mean(lengths) < 30


def test_spans_are_where_they_say(paths: SamplePaths) -> None:
    spans = [(row["text"], target) for row in rows(paths.entities) for target in row["targets"]]
    assert len(spans) > 4000
    for text, target in spans:
        assert text[target["char_start"] : target["char_end"]] == target["span_text"]
        assert target["span_text"].strip() == target["span_text"] != ""


def test_questions_and_their_answers_have_entities(dataset: Dataset) -> None:
    gold = dataset.chunk_texts.take(dataset.relevant)
    for texts in (dataset.questions, gold):
        _, offsets = dataset.annotations.spans_for(texts)
        assert (np.diff(offsets) > 0).all()


def test_some_texts_have_no_entity(dataset: Dataset) -> None:
    _, offsets = dataset.annotations.spans_for(dataset.chunk_texts)
    assert 10 <= (np.diff(offsets) == 0).sum() <= 60


def test_some_chunks_match_by_containment_alone(paths: SamplePaths, dataset: Dataset) -> None:
    chunks = list(dataset.chunk_texts)
    annotated = [row["text"] for row in rows(paths.entities)]
    matches = match_annotations(chunks, annotated)
    assert (matches >= 0).all()
    pairs = [
        (chunk, normalised(annotated[match]))
        for chunk, match in zip(chunks, matches, strict=True)
        if chunk != normalised(annotated[match])
    ]
    assert sum(chunk in text for chunk, text in pairs) == 15
    assert sum(text in chunk for chunk, text in pairs) == 15


def test_some_annotations_wrap_their_chunk(paths: SamplePaths, dataset: Dataset) -> None:
    texts = [row["text"] for row in rows(paths.entities)]
    wrapped = [text for text in texts if "\n" in text]
    assert len(wrapped) >= 20
    assert {normalised(text) for text in wrapped} <= set(dataset.chunk_texts)


def test_questions_do_not_quote(dataset: Dataset) -> None:
    """No question has the guild's words for trades and feasts, and no answer the usual ones."""
    jargon = [trade.title for trade in TRADES] + [feast.name for feast in FEASTS]
    plain = [trade.plain for trade in TRADES] + [feast.month for feast in FEASTS]
    gold = dataset.chunk_texts.take(dataset.relevant)
    assert not any(word in question for question in dataset.questions for word in jargon)
    assert not any(re.search(rf"\b{word}\b", text) for text in gold for word in plain)


def test_a_question_is_answered_by_what_agrees_with_all_that_it_mentions() -> None:
    facts = Facts("fire", 0, 1, "Mole End", FEASTS[0], "Tansy", "six florins")
    question = Question("Which {trade} at {place}?", facts)
    assert question.answered_by(facts._replace(feast=FEASTS[1], boat="Constance"))
    assert question.answered_by(facts._replace(who=len(TRADES)))  # another person of the same trade
    assert not question.answered_by(facts._replace(who=1))
    assert not question.answered_by(facts._replace(place="Low Ferry"))
    assert not question.answered_by(facts._replace(event="theft"))


def test_a_wedding_is_of_both() -> None:
    facts = Facts("wedding", 0, 1, "Mole End", FEASTS[0], "Tansy", "six florins")
    question = Question("Whom did {name} marry?", facts)
    assert question.answered_by(facts._replace(who=5, other=0))
    burned = facts._replace(event="fire")
    assert not Question("What did {name} lose?", burned).answered_by(
        burned._replace(who=5, other=0)
    )


def test_dice_are_fair() -> None:
    dice = Dice(7)
    drawn = [dice.below(6) for _ in range(6000)]
    counts = np.bincount(drawn, minlength=6)
    assert len(counts) == 6
    assert (abs(counts - 1000) < 150).all()
    assert sorted(dice.shuffled(range(50))) == list(range(50))
    assert len(set(PEOPLE)) == len(PEOPLE)


def test_every_event_is_asked_about(dataset: Dataset) -> None:
    for name, event in EVENTS.items():
        endings = [
            re.sub(r"\\\{\w+\\\}", ".+", re.escape(text[1:]))
            for text in (*event.questions, *event.named_questions)
        ]
        asked = [q for q in dataset.questions if any(re.search(end + "$", q) for end in endings)]
        assert len(asked) == 5, name
