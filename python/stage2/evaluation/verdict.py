"""The verdict: one test, of one set of questions, named before anything is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Sets that can bear a verdict, the best evidence first: every question scored by a model that did
# not see it; questions set aside; and what there is.
_SETS = ("cross-validated", "test", "all")
# The whole corpus is what a user searches; candidates drawn for a sample are easier.
_SOURCES = ("corpus", "candidates")


def verdict(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The verdict of a comparison: that of its most telling set. Its sentences are the report's.

    Args:
        parts: the `sets` of `comparison.json`, with their statistics.

    Returns:
        `word`: better, worse or no_evidence; `set` and `source` of the questions that it is of;
        `held_out`: whether training saw none of them.
    """
    part = min(parts, key=_order)
    return {
        "word": part["statistics"]["verdict"],
        "set": part["name"],
        "source": part["source"],
        "held_out": part["held_out"],
    }


def _order(part: Mapping[str, Any]) -> tuple[int, int]:
    name = part["name"]
    return _SETS.index(name) if name in _SETS else len(_SETS), _SOURCES.index(part["source"])
