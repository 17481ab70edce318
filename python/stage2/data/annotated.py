"""Count the texts that the entity annotations belong to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stage2._core import Annotations, TextColumn

# For each kind of text: how many there are, and what `Annotations.matched` counts of them.
Counts = Mapping[str, Mapping[str, int]]


def count_annotated(
    annotations: Annotations, texts: Mapping[str, TextColumn]
) -> dict[str, dict[str, int]]:
    """Count the texts of each kind that have an annotation, and an entity by it."""
    return {
        kind: {"texts": len(column), **annotations.matched(column)}
        for kind, column in texts.items()
    }


def annotated_facts(counts: Counts) -> dict[str, Any]:
    """The counts as `run.json` has them."""
    return {"annotated": {kind: dict(count) for kind, count in counts.items()}}


def matched(count: Mapping[str, int]) -> int:
    """The number of texts of one kind that have an annotation."""
    return count["equal"] + count["contained"]


def total(counts: Counts, name: str) -> int:
    """The sum of one count over all kinds of text."""
    return sum(count[name] for count in counts.values())
