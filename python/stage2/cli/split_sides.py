"""The choice of the sides of a split, and the messages about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from stage2.cli import console
from stage2.config import Settings
from stage2.data.balance import TOLERANCE
from stage2.data.contents import Sides
from stage2.data.dataset import Samples
from stage2.data.splits import Groups, Placed, given_sides, group_questions, split
from stage2.utils.arrays import Ints

# The words for each rule of the split.
RULES = {
    "group": "no group crosses",
    "cut": "groups cut at {cut} shared chunks",
    "question": "by question, since groups had to be cut at all of their {cut} shared chunks",
    "given": "as they are given",
}


def ground_truths(samples: Samples, rows: Ints) -> Iterator[list[str]]:
    """Yield the ground-truth texts of each question at `rows`."""
    offsets, candidates = np.asarray(samples.offsets), np.asarray(samples.candidates)
    counts = np.asarray(samples.num_relevant)
    for row in rows:
        relevant = candidates[offsets[row] : offsets[row] + counts[row]]
        yield samples.contexts.take(relevant)


def grouped_questions(samples: Samples) -> Groups:
    """Group the questions that must stay on one side, and show the progress."""
    with console.bar("looking for near-duplicates") as progress:
        return group_questions(samples, progress)


def sides_of(settings: Settings, grouped: Groups, given: Sides | None) -> Placed:
    """Return train, dev and test: the given sides, or else those of a new split.

    With --split none, train and dev each have all questions, and test has none.

    Args:
        settings: `split`, `dev_share`, `test_share` and `seed` are used.
        grouped: the groups of the questions.
        given: the ids of each side, if they are given; else None.
    """
    if given is not None:
        return given_sides(grouped, given, settings.dev_share, settings.seed)
    if settings.split == "chunk":
        return split(grouped, settings.dev_share, settings.test_share, settings.seed)
    everyone = np.arange(len(grouped.names))
    return Placed([everyone, everyone, everyone[:0]], grouped, (1.0, 1.0, 0.0), 0.0)


def tell_split(settings: Settings, placed: Placed, folds: Placed | None) -> dict[str, Any]:
    """Say which questions were kept together, and return the facts for `run.json`."""
    facts = placed.groups.facts()
    console.say(
        f"questions: {len(placed.groups.names)} in {facts['groups']} groups; "
        f"{facts['questions_sharing_a_chunk']} share a ground-truth chunk with another, and "
        f"{facts['near_duplicate_pairs']} ground-truth chunks nearly repeat another"
    )
    sizes = map(len, placed.parts)
    told: dict[str, Any] = {
        "by": settings.split,
        **dict(zip(("train", "dev", "test"), sizes, strict=True)),
        "overlaps": facts,
    }
    if settings.split == "chunk":
        train, dev, test = placed.parts
        told |= placed.facts()
        told["leaked"] = {
            name: placed.leaked(train, rows) for name, rows in (("dev", dev), ("test", test))
        }
        _tell_placed("split", placed, _sum(told["leaked"].values()))
    if folds is not None:
        leaked = _sum(
            folds.leaked(np.setdiff1d(np.arange(len(folds.groups.names)), rows), rows)
            for rows in folds.parts
        )
        told["folds"] = {
            **folds.facts(), "sizes": [len(rows) for rows in folds.parts], "leaked": leaked
        }  # fmt: skip
        _tell_placed("folds", folds, leaked)
    return told


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total = Counter({"same_chunk": 0, "near_duplicate": 0})
    for count in counts:
        total.update(count)
    return dict(total)


def _tell_placed(what: str, placed: Placed, leaked: Mapping[str, int]) -> None:
    sizes = " + ".join(str(len(rows)) for rows in placed.parts)
    rule = RULES[placed.facts()["rule"]].format(cut=placed.groups.cut)
    console.say(f"{what}: {sizes} questions, {rule}")
    leaks = (
        f"{leaked['same_chunk']} held-out questions have a ground-truth chunk that a question "
        f"on another side has too, {leaked['near_duplicate']} one that nearly repeats it"
    )
    if placed.given:
        if any(leaked.values()):
            console.warn(f"{what}: {leaks}")
    elif placed.groups.cut:
        console.warn(
            f"{what}: groups of questions that share ground-truth chunks were too large to place, "
            f"and were cut at their {placed.groups.cut} most-shared chunks. {leaks}"
        )
    if placed.error > TOLERANCE:
        asked = " + ".join(f"{share:.0%}" for share in placed.shares)
        console.warn(
            f"{what}: {asked} were asked for; no side comes nearer, since the largest of the "
            f"groups that stay together has {placed.facts()['largest_kept_together']} of "
            f"{len(placed.groups.names)} questions"
        )
