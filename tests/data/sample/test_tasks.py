"""The templates of the sample's tasks."""

from __future__ import annotations

import re
import string

import pytest

from stage2.data.sample.build import Facts
from stage2.data.sample.tasks import TASKS
from stage2.data.sample.words import THINGS


def plain(template: str) -> str:
    """Remove the brackets around entities."""
    return re.sub(r"[\[\]]", "", template)


@pytest.mark.parametrize("task", TASKS)
def test_templates_have_slots_that_can_be_filled(task: str) -> None:
    facts = Facts(
        task, THINGS[0], "Elgin", "Noor Amari", "globe", "six crowns", "fifth", "third", "two",
        "Monday",
    )  # fmt: skip
    known = TASKS[task]
    for template in (*known.notes, *known.questions, *known.talk, known.answer):
        plain(template).format(**facts.slots())


@pytest.mark.parametrize("task", TASKS)
def test_a_note_is_found_by_what_its_question_mentions(task: str) -> None:
    known = TASKS[task]
    for template in known.questions:
        asked = {slot for _, slot, _, _ in string.Formatter().parse(plain(template))}
        assert asked - {None} == {"thing", "town"}
    for template in known.notes:
        stated = {slot for _, slot, _, _ in string.Formatter().parse(plain(template))}
        assert {"house", "town"} <= stated
        assert "thing" not in stated


@pytest.mark.parametrize("task", TASKS)
def test_each_question_and_each_talk_marks_one_entity(task: str) -> None:
    known = TASKS[task]
    for template in (*known.questions, *known.talk):
        slots = {slot for _, slot, _, _ in string.Formatter().parse(plain(template))} - {None}
        assert slots <= {"thing", "town", "name"}
        assert len(re.findall(r"\[[^\[\]]+\]", template)) == 1, template
