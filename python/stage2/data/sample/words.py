"""The world of the built-in sample: the offices of Alder & Finch, a firm that draws maps.

The firm's handbook has names of its own for half of the things that everybody uses: the printer is
*Scribe*, the car park is *Stable*. People ask in everyday words. The minutes of their meetings are
in everyday words too, but they settle nothing: they sound like the questions, and the handbook has
the answers.

Templates name their slots in braces. `build.py` fills them and knows which slots are entities.
"""

from __future__ import annotations

from typing import NamedTuple


class Thing(NamedTuple):
    """A thing that everybody in the firm uses: its everyday name and its name in the handbook."""

    plain: str
    house: str


THINGS = (
    Thing("holiday calendar", "Hammock"),
    Thing("mail account", "the mail account"),
    Thing("remote connection", "Drawbridge"),
    Thing("meeting room", "the meeting room"),
    Thing("printer", "Scribe"),
    Thing("door badge", "the door badge"),
    Thing("car park", "Stable"),
    Thing("laptop", "the laptop"),
)

TOWNS = (
    "Ashford",
    "Brampton",
    "Cawdor",
    "Dunster",
    "Elgin",
    "Fowey",
    "Girvan",
    "Helston",
    "Ilkley",
    "Jarrow",
    "Kendal",
    "Ludlow",
)

PEOPLE = (
    "Bettany Crowe",
    "Odd Fenwick",
    "Åsa Lindqvist",
    "Perpetua Marsh",
    "Tobias Ruddle",
    "Ewan Pellow",
    "Hester Quill",
    "Noor Amari",
    "Lucan Threadgold",
    "Mirela Dovic",
    "Samson Oakes",
    "Zoë Carrick",
    "Jonah Brindle",
    "Ottilie Vane",
    "Rasmus Holt",
    "Celeste Tamblyn",
    "Gideon Sparrow",
    "Maren Ågren",
    "Piet Hollander",
    "Dorcas Wynn",
    "Anselm Grubb",
    "Isolde Penrose",
    "Barnaby Flint",
    "Yusuf Delacroix",
)

SPOTS = ("north stairs", "plan chest", "globe", "south window", "old press", "compass table")
SUMS = ("nine crowns", "six crowns", "twenty crowns", "two crowns", "fifteen crowns")
BELLS = ("fourth", "fifth", "sixth", "seventh")
DAYS = ("second", "third", "ninth", "tenth", "twentieth")
COUNTS = ("two", "three", "five", "seven", "twelve")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")

# These end the minutes of a meeting.
CLOSINGS = (
    "Nobody at the meeting knew.",
    "The question was put off once more.",
    "There was no answer, and the coffee was cold.",
    "It will be looked at some other time.",
    "Opinions differed, and nothing was decided.",
    "The chair promised to find out and never did.",
    "We ran out of time before anyone could say.",
    "Several people nodded, but none of them had an answer.",
)

# These start the minutes of a meeting.
OPENINGS = (
    "Minutes from {town}, {weekday}:",
    "At the {weekday} meeting in {town},",
    "Any other business in {town}:",
    "From the {town} team meeting:",
    "{town}, weekly round:",
)

# The survey's diary: texts without an entity.
DIARY = (
    "Fog until the {bell} bell, so the theodolite stayed in its box all morning.",
    "Walked the ridge again and found the old benchmark under a hand of moss.",
    "Rain on the plane table; the ink ran and the sheet must be drawn anew.",
    "Two paces short on the base line, which was measured over and found true.",
    "The river has moved its bed since the last survey by some forty yards.",
    "Clear light at last: closed the triangle from the church to the quarry.",
    "Counted paces along the canal, with a strong wind from the side of the sea.",
    "No work on account of the snow, which covers every stone that we set.",
)

SKIES = (
    "Wind from the west.",
    "Wind from the north, and cold.",
    "Calm in the evening.",
    "Larks over the moor.",
    "A halo about the moon.",
    "Frost on the chain.",
)
