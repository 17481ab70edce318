"""The words of the built-in sample are distinct, and every slot can be filled."""

from __future__ import annotations

import string

import pytest

from stage2.data.sample import words

LISTS = [name for name in vars(words) if name.isupper()]


@pytest.mark.parametrize("name", LISTS)
def test_none_stands_twice(name: str) -> None:
    """A word that occurs twice would be drawn twice as often."""
    found = getattr(words, name)
    assert len(set(found)) == len(found) > 1


@pytest.mark.parametrize(
    ("name", "slots"),
    [
        ("OPENINGS", {"town", "weekday"}),
        ("CLOSINGS", set()),
        ("DIARY", {"bell"}),
        ("SKIES", set()),
    ],
)
def test_slots_are_those_that_are_filled(name: str, slots: set[str]) -> None:
    for template in getattr(words, name):
        asked = {slot for _, slot, _, _ in string.Formatter().parse(template) if slot is not None}
        assert asked <= slots, template


def test_half_of_the_things_have_names_of_their_own() -> None:
    own = [thing for thing in words.THINGS if thing.house != f"the {thing.plain}"]
    assert len(own) == len(words.THINGS) / 2
    for thing in own:
        assert not set(thing.house.lower().split()) & set(thing.plain.lower().split())
