"""Counts of the texts that have an entity annotation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stage2._core import Annotations, TextColumn

# For each kind of text: the number of texts, and the counts of `Annotations.matched`.
Counts = Mapping[str, Mapping[str, int]]


def count_annotated(
    annotations: Annotations, texts: Mapping[str, TextColumn]
) -> dict[str, dict[str, int]]:
    """Count for each kind of text how many have an annotation, and how many have an entity.

    Args:
        annotations: the entity annotations.
        texts: the texts of each kind.

    Returns:
        For each kind `texts`, the number of its texts, and the counts of `Annotations.matched`.
    """
    return {
        kind: {"texts": len(column), **annotations.matched(column)}
        for kind, column in texts.items()
    }


def annotated_facts(counts: Counts) -> dict[str, Any]:
    """Return the counts in the form in which `run.json` records them."""
    return {"annotated": {kind: dict(count) for kind, count in counts.items()}}


def matched(count: Mapping[str, int]) -> int:
    """Return the number of texts of one kind that have an annotation."""
    return count["equal"] + count["contained"]


def total(counts: Counts, name: str) -> int:
    """Return the sum of one count over all kinds of text."""
    return sum(count[name] for count in counts.values())
