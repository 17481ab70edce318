"""The built-in sample: the handbook of a fictional firm, in the size of the reference experiment.

To find the note that answers a question, an encoder must learn what the handbook calls four of
eight things (`words.py`), and that answers stand in the handbook and not in minutes. Questions on
both sides of a split share this vocabulary.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from stage2.data.sample import words
from stage2.data.sample.tasks import TASKS
from stage2.utils.files import write_json, write_jsonl

NUM_QUESTIONS = 50
NUM_CHUNKS = 1231
NUM_ANNOTATIONS = 1463

# The shares of the draws of texts that answer no question: minutes of meetings, and notes of the
# handbook. The rest is the survey's diary. What was drawn before is dropped, so that a quarter of
# the chunks are minutes. They sound like the questions, and so make the sample hard.
MINUTES_SHARE = 0.12
NOTES_SHARE = 0.84

# So many annotations have a slightly longer or shorter text than their chunk. Only the rule of
# containment can match them.
NUM_LONGER = 15
NUM_SHORTER = 15
MAX_LENGTH_DIFFERENCE = 0.1
# One in so many annotations has its text on two lines, as a scan gives it. The join must normalise
# white space, and offsets must count in the annotation's own text.
WRAPPED_EVERY = 39

ENTITIES = ("house", "thing", "town", "name", "sum")

T = TypeVar("T")


class SamplePaths(NamedTuple):
    """The paths of the sample's three files."""

    qa: Path
    chunks: Path
    entities: Path


class Annotated(NamedTuple):
    """A text and the spans of its entities: (start, end) in code points, end exclusive."""

    text: str
    spans: tuple[tuple[int, int], ...] = ()


class Facts(NamedTuple):
    """The facts that a note of the handbook states; its question has the first three."""

    task: str
    thing: words.Thing
    town: str
    name: str
    spot: str
    sum: str
    bell: str
    day: str
    uses: str
    weekday: str

    @property
    def asked(self) -> tuple[str, words.Thing, str]:
        """Return the part of the facts by which a note answers a question."""
        return self.task, self.thing, self.town

    def slots(self) -> dict[str, str]:
        """Return the values for the slots of all templates."""
        values = self._asdict()
        thing = values.pop("thing")
        return values | {"thing": thing.plain, "house": thing.house}


class Dice:
    """A generator that uses `random()` only: Python promises that this method never changes."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, bound: int) -> int:
        """Draw an integer from 0 to `bound` - 1."""
        return int(self.share() * bound)

    def share(self) -> float:
        """Draw a number from 0, below 1."""
        return self._random.random()

    def pick(self, options: Sequence[T]) -> T:
        """Draw one of the options."""
        return options[self.below(len(options))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Return the items in random order."""
        keys = [self.share() for _ in items]
        return [items[place] for place in sorted(range(len(items)), key=keys.__getitem__)]


def write_sample(folder: str | os.PathLike[str], seed: int = 0) -> SamplePaths:
    """Write `qa.json`, `chunks.jsonl` and `entities.jsonl` into `folder`.

    Equal seeds give equal bytes, on every platform.
    """
    dice = Dice(seed)
    questions = _draw_questions(dice)
    answers = [_note(dice, facts) for facts in questions]

    # No text is written twice: it would be one chunk under two ids.
    written = {annotated.text: None for annotated in answers}
    others = _other_texts(dice, questions)
    chunks = [*answers, *_distinct(others, NUM_CHUNKS - NUM_QUESTIONS, written)]
    further = _distinct(others, NUM_ANNOTATIONS - NUM_CHUNKS - NUM_QUESTIONS, written)

    order = dice.shuffled(range(NUM_CHUNKS))
    ids = {chunk: f"page-{number:04d}" for number, chunk in enumerate(order, 1)}
    shelved = [chunks[chunk] for chunk in order]
    asked = [_fill(dice.pick(TASKS[facts.task].questions), facts) for facts in questions]

    root = Path(folder)
    paths = SamplePaths(root / "qa.json", root / "chunks.jsonl", root / "entities.jsonl")
    write_json(paths.qa, [_qa_row(i, asked[i], facts, ids[i]) for i, facts in enumerate(questions)])
    write_jsonl(paths.chunks, [{"chunk_id": ids[i], "text": chunks[i].text} for i in order])
    annotations = [*_annotations_of(shelved), *asked, *further]
    write_jsonl(paths.entities, [_annotation_row(annotated) for annotated in annotations])
    return paths


def _draw_questions(dice: Dice) -> list[Facts]:
    """Draw what is asked: about each task and each thing in turn, and nothing twice."""
    tasks = list(TASKS)
    drawn: dict[tuple[str, words.Thing, str], Facts] = {}
    while len(drawn) < NUM_QUESTIONS:
        place = len(drawn)
        facts = _draw_facts(dice, tasks[place % len(tasks)])
        # Each round begins one thing later, so that every task is asked about things of both kinds.
        thing = (place + place // len(tasks)) % len(words.THINGS)
        facts = facts._replace(thing=words.THINGS[thing])
        drawn.setdefault(facts.asked, facts)
    return dice.shuffled(list(drawn.values()))


def _draw_facts(dice: Dice, task: str) -> Facts:
    return Facts(
        task,
        dice.pick(words.THINGS),
        dice.pick(words.TOWNS),
        dice.pick(words.PEOPLE),
        dice.pick(words.SPOTS),
        dice.pick(words.SUMS),
        dice.pick(words.BELLS),
        dice.pick(words.DAYS),
        dice.pick(words.COUNTS),
        dice.pick(words.WEEKDAYS),
    )


def _other_texts(dice: Dice, questions: Sequence[Facts]) -> Iterator[Annotated]:
    """Yield texts without end. None of them answers a question."""
    tasks = list(TASKS)
    # The handbook has one note on a matter, so that none contradicts another.
    noted = {facts.asked for facts in questions}
    while True:
        share = dice.share()
        facts = _draw_facts(dice, dice.pick(tasks))
        if share < MINUTES_SHARE:
            yield _minutes(dice, facts)
        elif share < MINUTES_SHARE + NOTES_SHARE:
            if facts.asked not in noted:
                noted.add(facts.asked)
                yield _note(dice, facts)
        else:
            yield _fill(f"{dice.pick(words.DIARY)} {dice.pick(words.SKIES)}", facts)


def _note(dice: Dice, facts: Facts) -> Annotated:
    task = TASKS[facts.task]
    return _fill(f"{{house}}, {{town}}: {task.heading}. {dice.pick(task.notes)}", facts)


def _minutes(dice: Dice, facts: Facts) -> Annotated:
    talk = dice.pick(TASKS[facts.task].talk)
    return _fill(f"{dice.pick(words.OPENINGS)} {talk} {dice.pick(words.CLOSINGS)}", facts)


def _distinct(texts: Iterator[Annotated], count: int, written: dict[str, None]) -> list[Annotated]:
    """Take the next `count` texts that are not in `written`, and add them to it."""
    taken: list[Annotated] = []
    while len(taken) < count:
        annotated = next(texts)
        if annotated.text not in written:
            written[annotated.text] = None
            taken.append(annotated)
    return taken


def _annotations_of(chunks: Sequence[Annotated]) -> list[Annotated]:
    """Return an annotation for each chunk. Some have a longer, shorter or wrapped text."""
    annotations = list(chunks)
    longer = [i for i in range(0, len(chunks), 3) if _is_close(chunks[i], _signed(chunks[i]))]
    shorter = [i for i in range(1, len(chunks), 3) if _is_close(chunks[i], _cut(chunks[i]))]
    for i in longer[:NUM_LONGER]:
        annotations[i] = _signed(chunks[i])
    for i in shorter[:NUM_SHORTER]:
        annotations[i] = _cut(chunks[i])
    for i in range(2, len(chunks), WRAPPED_EVERY):
        annotations[i] = _wrapped(chunks[i])
    return annotations


def _signed(chunk: Annotated) -> Annotated:
    """Add a signature with an entity, which lies outside the chunk."""
    start = len(chunk.text) + 1
    return Annotated(f"{chunk.text} Voss, copyist", (*chunk.spans, (start, start + len("Voss"))))


def _cut(chunk: Annotated) -> Annotated:
    """Remove the last word, and the entity that it belongs to."""
    text = chunk.text.rsplit(" ", 1)[0]
    return Annotated(text, tuple(span for span in chunk.spans if span[1] <= len(text)))


def _wrapped(chunk: Annotated) -> Annotated:
    """Break the line at the first space after the middle that is not in an entity."""
    line_break = "\n   "
    place = chunk.text.index(" ", len(chunk.text) // 2)
    while any(start < place < end for start, end in chunk.spans):
        place = chunk.text.index(" ", place + 1)
    moved = len(line_break) - 1
    spans = tuple(
        (start + moved, end + moved) if start > place else (start, end)
        for start, end in chunk.spans
    )
    return Annotated(chunk.text[:place] + line_break + chunk.text[place + 1 :], spans)


def _is_close(one: Annotated, other: Annotated) -> bool:
    short, long = sorted((len(one.text), len(other.text)))
    return (long - short) / long < MAX_LENGTH_DIFFERENCE


def _fill(template: str, facts: Facts) -> Annotated:
    """Fill the slots of a template. Slots of `ENTITIES` and words in brackets become entities."""
    slots = facts.slots()
    text = ""
    spans: list[tuple[int, int]] = []
    # A split by a pattern with two groups gives text, a slot's name and bracketed words in turn.
    pieces = re.split(r"\{(\w+)\}|\[(.+?)\]", template)
    for turn, piece in enumerate(pieces):
        if not piece:
            continue
        added = slots[piece] if turn % 3 == 1 else piece
        if not text or text.endswith(". "):
            added = added[:1].upper() + added[1:]
        if turn % 3 == 2 or (turn % 3 == 1 and piece in ENTITIES):
            spans.append((len(text), len(text) + len(added)))
        text += added
    return Annotated(text, tuple(spans))


def _qa_row(index: int, question: Annotated, facts: Facts, chunk_id: str) -> dict[str, str]:
    return {
        "qa_id": f"question-{index + 1:02d}",
        "question": question.text,
        "answer": f"{_fill(TASKS[facts.task].answer, facts).text}.",
        "chunk_id": chunk_id,
    }


def _annotation_row(annotated: Annotated) -> dict[str, object]:
    targets = [
        {"span_text": annotated.text[start:end], "char_start": start, "char_end": end}
        for start, end in annotated.spans
    ]
    return {"text": annotated.text, "targets": targets}
