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
from stage2.data.sample.build import Dice, SamplePaths, write_sample
from stage2.data.sample.tasks import TASKS
from stage2.data.sample.words import PEOPLE, THINGS, TOWNS

# The hashes of the three files for seed 0. After a change of words, measure the sample anew.
DIGESTS = {
    "qa.json": "8c6643ef47f3ce794c71fafb42d938db36555a88254a015d2f2ea8fbeb9f5593",
    "chunks.jsonl": "11920bac18a9b501a13092645723c5c9ff71c029e80379b2acd3b8a300c93536",
    "entities.jsonl": "64f9c88082409883d6b1b554856b3cfa0a9d6f339dc94baf36b99a7e9459332e",
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


def test_questions_do_not_know_the_names_of_the_house(dataset: Dataset) -> None:
    own = [thing.house for thing in THINGS if thing.house != f"the {thing.plain}"]
    assert not any(name in question for question in dataset.questions for name in own)
    gold = dataset.chunk_texts.take(dataset.relevant)
    named = [thing for text in gold for thing in THINGS if text.startswith(thing.house)]
    assert 20 <= len(named) <= 30
    for text in gold:
        for thing in THINGS:
            if thing.house in own:
                assert thing.plain not in text


HOUSES = "|".join(re.escape(thing.house) for thing in THINGS)
HEADINGS = {task.heading: name for name, task in TASKS.items()}


def matter(text: str) -> tuple[str, str, str] | None:
    """Return the thing, the town and the task of a note; None for a text of another kind."""
    found = re.match(
        rf"({HOUSES}), ({'|'.join(TOWNS)}): ({'|'.join(HEADINGS)})\.", text, re.IGNORECASE
    )
    if found is None:
        return None
    plain = {thing.house.lower(): thing.plain for thing in THINGS}
    return plain[found[1].lower()], found[2], HEADINGS[found[3].lower()]


def asks_about(question: str) -> str:
    """Return the task that a question is about."""
    for name, task in TASKS.items():
        for template in task.questions:
            words = re.escape(re.sub(r"[\[\]]", "", template))
            if re.fullmatch(re.sub(r"\\\{\w+\\\}", ".+", words), question):
                return name
    raise AssertionError(question)


def test_one_note_answers_each_question(dataset: Dataset) -> None:
    about = [matter(text) for text in dataset.chunk_texts]
    for question, chunk in zip(dataset.questions, dataset.relevant, strict=True):
        found = about[chunk]
        assert found is not None
        thing, town, task = found
        assert about.count(found) == 1, question
        assert thing in question
        assert town in question
        assert task == asks_about(question)
    notes = [one for one in about if one is not None]
    assert len(set(notes)) == len(notes) > 700


def test_every_task_is_asked_about_things_of_both_kinds(dataset: Dataset) -> None:
    own = {thing.plain for thing in THINGS if thing.house != f"the {thing.plain}"}
    asked: dict[str, list[bool]] = {task: [] for task in TASKS}
    for chunk in dataset.relevant:
        found = matter(dataset.chunk_text(int(chunk)))
        assert found is not None
        asked[found[2]].append(found[0] in own)
    for task, kinds in asked.items():
        assert len(kinds) == 5, task
        assert len(set(kinds)) == 2, task


def test_sentences_begin_with_a_capital(dataset: Dataset) -> None:
    for text in (*dataset.chunk_texts, *dataset.questions):
        assert not re.search(r"(^|[.?] )[a-zå]", text), text


def test_dice_are_fair() -> None:
    dice = Dice(7)
    drawn = [dice.below(6) for _ in range(6000)]
    counts = np.bincount(drawn, minlength=6)
    assert len(counts) == 6
    assert (abs(counts - 1000) < 150).all()
    assert sorted(dice.shuffled(range(50))) == list(range(50))
    assert len(set(PEOPLE)) == len(PEOPLE)


def test_every_thing_and_half_the_towns_are_asked_about(dataset: Dataset) -> None:
    for thing in THINGS:
        assert sum(thing.plain in question for question in dataset.questions) >= 5, thing
    assert sum(any(town in q for q in dataset.questions) for town in TOWNS) >= len(TOWNS) / 2
