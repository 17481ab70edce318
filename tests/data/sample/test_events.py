"""The templates of the sample's events."""

from __future__ import annotations

import pytest

from stage2.data.sample.build import Facts
from stage2.data.sample.events import EVENTS
from stage2.data.sample.words import FEASTS


@pytest.mark.parametrize("event", EVENTS)
def test_templates_have_slots_that_can_be_filled(event: str) -> None:
    facts = Facts(event, 0, 1, "Mole End", FEASTS[0], "Tansy", "six florins")
    known = EVENTS[event]
    for template in known.records:
        template.format(**facts.jargon())
    for template in (*known.questions, *known.named_questions, *known.hearsay, known.answer):
        template.format(**facts.everyday())
