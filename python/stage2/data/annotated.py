"""Count the texts that the entity annotations belong to, and tell it before they are used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stage2._core import Annotations, TextColumn
from stage2.config import Settings
from stage2.utils import console
from stage2.utils.errors import BadInputError

# By kind of text: how many there are, and what `Annotations.matched` counts of them.
Counts = Mapping[str, Mapping[str, int]]

_EXPECTED = (
    "expected annotations of these very texts: one belongs to a text that is equal but for white "
    "space, or that contains it or is contained in it and is nearly as long"
)


def count_annotated(
    annotations: Annotations, texts: Mapping[str, TextColumn]
) -> dict[str, dict[str, int]]:
    """Count the texts of each kind that have an annotation, and an entity by it."""
    return {
        kind: {"texts": len(column), **annotations.matched(column)}
        for kind, column in texts.items()
    }


def tell_annotated(counts: Counts, settings: Settings) -> None:
    """Say how many texts have annotations, and warn where they are of no use.

    Raises:
        BadInputError: `--similarity entity`, and no pair of texts could be compared by entities.
    """
    parts = [f"{_with(count):,} of {count['texts']:,} {kind}" for kind, count in counts.items()]
    contained = _sum(counts, "contained")
    console.say(
        f"entity annotations: {' and '.join(parts)} have one"
        + (f" ({contained:,} because one text contains the other)" if contained else "")
    )
    if settings.similarity == "sentence":
        return
    problem = _problem(counts)
    if problem is None:
        if composed := _sum(counts, "if_composed"):
            console.warn(f"{settings.entities}: {_composed(composed, 'more ')}")
        return
    problem = f"{settings.entities}: {problem}" if settings.entities else problem
    if settings.similarity == "entity":
        raise BadInputError(f"--similarity entity: {problem}")
    console.warn(f"{problem}. Every pair is compared by its sentences")


def annotated_facts(counts: Counts) -> dict[str, Any]:
    """What `run.json` says of it."""
    return {"annotated": {kind: dict(count) for kind, count in counts.items()}}


def _problem(counts: Counts) -> str | None:
    """Why no pair of texts could be compared by entities; None where some could."""
    if not any(_with(count) for count in counts.values()):
        total = _sum(counts, "texts")
        composed = _sum(counts, "if_composed")
        return f"the annotations match none of {total:,} texts; " + (
            _composed(composed, "") if composed else _EXPECTED
        )
    for kind, count in counts.items():
        if not count["with_entity"]:
            return (
                f"the annotations give none of {count['texts']:,} {kind} an entity; expected "
                "entities in questions and in chunks, which are compared by them"
            )
    return None


def _composed(number: int, more: str) -> str:
    return (
        f"{number:,} {more}would match after Unicode NFC normalisation: expected texts and "
        "annotations in one form; normalise both files alike"
    )


def _with(count: Mapping[str, int]) -> int:
    return count["equal"] + count["contained"]


def _sum(counts: Counts, what: str) -> int:
    return sum(count[what] for count in counts.values())
