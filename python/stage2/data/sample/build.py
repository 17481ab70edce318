"""The built-in sample: the papers of a fictional harbour, in the size of the reference experiment.

To find the record that answers a question, an encoder must learn in which papers answers stand, and
a glossary of ten events, eight trades and six feasts (`words.py`). Questions on both sides of a
split share this glossary.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from stage2.data.sample import words
from stage2.data.sample.events import EVENTS
from stage2.utils.files import write_json, write_jsonl

NUM_QUESTIONS = 50
NUM_CHUNKS = 1231
NUM_ANNOTATIONS = 1463

# The shares of the texts that answer no question: the inn's talk, the day book, the observatory's
# log; the rest are tide tables. The talk sounds like the questions, so it makes the sample hard.
HEARSAY_SHARE = 0.87
RECORD_SHARE = 0.07
LOG_SHARE = 0.04

NAMED_QUESTION_SHARE = 0.3

# So many annotations have a slightly longer or shorter text than their chunk. Only the rule of
# containment can match them.
NUM_LONGER = 15
NUM_SHORTER = 15
MAX_LENGTH_DIFFERENCE = 0.1
# One in so many annotations has its text on two lines, as a scan gives it. The join must normalise
# white space, and offsets must count in the annotation's own text.
WRAPPED_EVERY = 39

RECORD_ENTITIES = ("who", "other", "place", "feast", "boat")
TALK_ENTITIES = ("trade", "month", "place", "name", "inn")
LOG_ENTITIES = ("astronomer", "instrument", "month")

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
    """The facts that a record of the guild states. Persons are indices of `PEOPLE`."""

    event: str
    who: int
    other: int
    place: str
    feast: words.Feast
    boat: str
    sum: str

    def jargon(self) -> dict[str, str]:
        """Return the values for the slots of a record."""
        return {
            "who": f"{_trade(self.who).title} {_name(self.who)}",
            "other": f"{_trade(self.other).title} {_name(self.other)}",
            "place": self.place,
            "feast": self.feast.name,
            "on": self.feast.on,
            "On": self.feast.on.capitalize(),
            "boat": self.boat,
            "sum": self.sum,
        }

    def everyday(self) -> dict[str, str]:
        """Return the values for the slots of all other texts."""
        return {
            "name": _name(self.who),
            "trade": _trade(self.who).plain,
            "place": self.place,
            "month": self.feast.month,
            "boat": self.boat,
            "inn": words.INN,
        }

    def readings(self) -> tuple[Facts, ...]:
        """Return the facts from the view of each person that the event happened to."""
        swapped = self._replace(who=self.other, other=self.who)
        return (self, swapped) if EVENTS[self.event].mutual else (self,)


class Question(NamedTuple):
    """A question, and the facts of the one record that answers it."""

    template: str
    facts: Facts

    def answered_by(self, facts: Facts) -> bool:
        """Return whether a record of these facts agrees with all that the question mentions."""
        mentioned = re.findall(r"\{(\w+)\}", self.template)
        wanted = self.facts.everyday()
        return facts.event == self.facts.event and any(
            all(reading.everyday()[slot] == wanted[slot] for slot in mentioned)
            for reading in facts.readings()
        )

    def filled(self) -> Annotated:
        """Return the text of the question with its entities."""
        return _fill(self.template, self.facts.everyday(), TALK_ENTITIES)


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
    answers = [_record(dice, question.facts) for question in questions]

    # No text is written twice: it would be one chunk under two ids.
    written = {annotated.text: None for annotated in answers}
    others = _other_texts(dice, questions)
    chunks = [*answers, *_distinct(others, NUM_CHUNKS - NUM_QUESTIONS, written)]
    further = _distinct(others, NUM_ANNOTATIONS - NUM_CHUNKS - NUM_QUESTIONS, written)

    order = dice.shuffled(range(NUM_CHUNKS))
    ids = {chunk: f"saltmere-{number:04d}" for number, chunk in enumerate(order, 1)}
    shelved = [chunks[chunk] for chunk in order]
    asked = [question.filled() for question in questions]

    root = Path(folder)
    paths = SamplePaths(root / "qa.json", root / "chunks.jsonl", root / "entities.jsonl")
    write_json(paths.qa, [_qa_row(i, question, ids[i]) for i, question in enumerate(questions)])
    write_jsonl(paths.chunks, [{"chunk_id": ids[i], "text": chunks[i].text} for i in order])
    annotations = [*_annotations_of(shelved), *asked, *further]
    write_jsonl(paths.entities, [_annotation_row(annotated) for annotated in annotations])
    return paths


def _draw_questions(dice: Dice) -> list[Question]:
    """Draw questions about each event in turn. No question is answered by the record of another."""
    events = list(EVENTS)
    questions: list[Question] = []
    while len(questions) < NUM_QUESTIONS:
        event = events[len(questions) % len(events)]
        named = dice.share() < NAMED_QUESTION_SHARE
        options = EVENTS[event].named_questions if named else EVENTS[event].questions
        question = dice.pick(options)
        template = dice.pick(words.ASKING).replace("{question}", question[0].lower() + question[1:])
        drawn = Question(template, _draw_facts(dice, event))
        if not any(
            drawn.answered_by(known.facts) or known.answered_by(drawn.facts) for known in questions
        ):
            questions.append(drawn)
    return dice.shuffled(questions)


def _draw_facts(dice: Dice, event: str) -> Facts:
    count = len(words.PEOPLE)
    who = dice.below(count)
    other = (who + 1 + dice.below(count - 1)) % count
    return Facts(
        event,
        who,
        other,
        dice.pick(words.PLACES),
        dice.pick(words.FEASTS),
        dice.pick(words.BOATS),
        dice.pick(words.SUMS),
    )


def _other_texts(dice: Dice, questions: Sequence[Question]) -> Iterator[Annotated]:
    """Yield texts endlessly. None of them answers a question."""
    events = list(EVENTS)
    while True:
        share = dice.share()
        facts = _draw_facts(dice, dice.pick(events))
        if share < HEARSAY_SHARE:
            yield _hearsay(dice, facts)
        elif share < HEARSAY_SHARE + RECORD_SHARE:
            if not any(question.answered_by(facts) for question in questions):
                yield _record(dice, facts)
        elif share < HEARSAY_SHARE + RECORD_SHARE + LOG_SHARE:
            yield _log_entry(dice)
        else:
            yield _tide(dice)


def _record(dice: Dice, facts: Facts) -> Annotated:
    template = dice.pick(EVENTS[facts.event].records)
    return _fill(f"{template} {dice.pick(words.REMARKS)}", facts.jargon(), RECORD_ENTITIES)


def _hearsay(dice: Dice, facts: Facts) -> Annotated:
    template = dice.pick(EVENTS[facts.event].hearsay)
    return _fill(f"{template} {dice.pick(words.TALK)}", facts.everyday(), TALK_ENTITIES)


def _log_entry(dice: Dice) -> Annotated:
    slots = {
        "month": dice.pick(words.FEASTS).month,
        "astronomer": dice.pick(words.ASTRONOMERS),
        "instrument": dice.pick(words.INSTRUMENTS),
    }
    return _fill(f"{dice.pick(words.LOG)} {dice.pick(words.SKIES)}", slots, LOG_ENTITIES)


def _tide(dice: Dice) -> Annotated:
    """Return a line of the tide tables. It has no entity, so it is compared by sentence."""
    template = f"{dice.pick(words.TIDES)} {dice.pick(words.REMARKS)}"
    return _fill(template, {"bell": dice.pick(words.BELLS)}, ())


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


def _fill(template: str, slots: Mapping[str, str], entities: Sequence[str]) -> Annotated:
    """Fill the slots of a template. The slots named in `entities` become the entities."""
    text = ""
    spans: list[tuple[int, int]] = []
    # A split by a pattern with a group gives text and slot names in turn.
    for turn, piece in enumerate(re.split(r"\{(\w+)\}", template)):
        is_slot = turn % 2 == 1
        added = slots[piece] if is_slot else piece
        if not text:
            added = added[:1].upper() + added[1:]
        if is_slot and piece in entities:
            spans.append((len(text), len(text) + len(added)))
        text += added
    return Annotated(text, tuple(spans))


def _trade(person: int) -> words.Trade:
    """Return the trade of a person, which never changes."""
    return words.TRADES[person % len(words.TRADES)]


def _name(person: int) -> str:
    return " ".join(words.PEOPLE[person])


def _qa_row(index: int, question: Question, chunk_id: str) -> dict[str, str]:
    answer = _fill(EVENTS[question.facts.event].answer, question.facts.everyday(), ())
    return {
        "qa_id": f"guest-{index + 1:02d}",
        "question": question.filled().text,
        "answer": f"{answer.text}.",
        "chunk_id": chunk_id,
    }


def _annotation_row(annotated: Annotated) -> dict[str, object]:
    targets = [
        {"span_text": annotated.text[start:end], "char_start": start, "char_end": end}
        for start, end in annotated.spans
    ]
    return {"text": annotated.text, "targets": targets}
