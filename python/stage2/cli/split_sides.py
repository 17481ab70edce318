"""The choice of the sides of a split, and the messages about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from stage2.cli import console
from stage2.config import Settings
from stage2.data.balance import TOLERANCE
from stage2.data.contents import SIDES, Sides
from stage2.data.dataset import Samples
from stage2.data.split_file import SEEN_CHUNKS
from stage2.data.splits import Groups, Placed, given_sides, group_questions, split
from stage2.data.unseen import Unseen, unseen_folds, unseen_side
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


def sides_of(
    settings: Settings,
    grouped: Groups,
    given: Sides | None,
    seen_chunks: Sides = MappingProxyType({}),
) -> Placed:
    """Return train, dev and test: the given sides, or else those of a new split.

    With --split none, train and dev each have all questions, and test has none.

    Args:
        settings: `split`, `dev_share`, `test_share` and `seed` are used.
        grouped: the groups of the questions.
        given: the ids of each side, if they are given; else None.
        seen_chunks: with given sides, the chunks that do not count on a side.
    """
    if given is not None:
        return given_sides(grouped, given, settings.dev_share, settings.seed, seen_chunks)
    if settings.split == "chunk":
        return split(grouped, settings.dev_share, settings.test_share, settings.seed)
    everyone = np.arange(len(grouped.names))
    return Placed([everyone, everyone, everyone[:0]], grouped, (1.0, 1.0, 0.0), 0.0)


def split_file(
    qa_ids: Sequence[str], placed: Placed, more: Mapping[str, Ints] = MappingProxyType({})
) -> dict[str, Any]:
    """Return the content of `split.json`, which `--split-file` takes.

    Args:
        qa_ids: the ids of all questions.
        placed: the sides. Where held-out questions share chunks with those that were seen, the file
            names these chunks, so that they do not count wherever the file is used.
        more: other lists of rows, by name.
    """
    sides, links = dict(zip(SIDES, placed.parts, strict=True)), placed.groups.links
    content: dict[str, Any] = {
        name: [qa_ids[row] for row in rows.tolist()] for name, rows in {**sides, **more}.items()
    }
    seen = {side: chunks for side, chunks in placed.seen.items() if chunks and len(sides[side])}
    if seen and links is not None:
        content[SEEN_CHUNKS] = {
            side: sorted(links.names[chunk] for chunk in chunks) for side, chunks in seen.items()
        }
    return content


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
        **dict(zip(SIDES, sizes, strict=True)),
        "overlaps": facts,
    }
    if settings.split == "chunk":
        train, dev, test = placed.parts
        told |= placed.facts()
        seen_by = {"dev": (train, dev), "test": (np.concatenate([train, dev]), test)}
        told["leaked"] = {name: placed.leaked(*rows) for name, rows in seen_by.items()}
        _tell_placed("split", placed, _sum(told["leaked"].values()))
        sides = {name: unseen_side(placed, name) for name in seen_by}
        told |= tell_unseen(sides)
    if folds is not None:
        leaked = _sum(
            folds.leaked(np.setdiff1d(np.arange(len(folds.groups.names)), rows), rows)
            for rows in folds.parts
        )
        told["folds"] = {
            **folds.facts(), "sizes": [len(rows) for rows in folds.parts], "leaked": leaked
        }  # fmt: skip
        _tell_placed("folds", folds, leaked)
        told["folds"] |= tell_unseen({"cross-validated": unseen_folds(folds)})
    return told


def tell_unseen(found: Mapping[str, Unseen]) -> dict[str, Any]:
    """Say what held-out questions are measured without; return the facts, {} if nothing is."""
    facts = {name: counts for name, one in found.items() if (counts := one.facts())}
    for name in facts:
        one = found[name]
        if len(one.rows):
            console.warn(
                f"{name}: {one.seen} ground truths are those of questions trained or chosen on "
                f"too: they are neither right nor wrong here. {one.gone} of {len(one.asked)} "
                "questions have no other, and are not measured"
            )
            continue
        console.warn(
            f"{name}: all {one.seen} ground truths of the {len(one.asked)} questions are those of "
            "questions trained or chosen on too. "
            + ("They choose the model all the same, which favours one that remembers"
               if name == "dev" else "None of them is measured")
        )  # fmt: skip
    return {"unseen": facts} if facts else {}


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
            f"{what}: {placed.groups.tied} of {len(placed.groups.names)} questions are in groups "
            "that share ground-truth chunks and were too large to place, and were cut at their "
            f"{placed.groups.cut} most-shared chunks. {leaks}"
        )
    if placed.error > TOLERANCE:
        asked = " + ".join(f"{share:.0%}" for share in placed.shares)
        console.warn(
            f"{what}: {asked} were asked for; no side comes nearer, since the largest of the "
            f"groups that stay together has {placed.facts()['largest_kept_together']} of "
            f"{len(placed.groups.names)} questions"
        )
