"""The verdict: one test on one set of questions, both fixed before anything is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# The sets that can decide the verdict, the best evidence first: all questions, each scored by a
# model that was not trained on it; questions set aside; all questions, if nothing else is there.
_SETS = ("cross-validated", "test", "all")
# The corpus comes first: users search it, and the candidates of a sample are easier.
_SOURCES = ("corpus", "candidates")
# The model as it was given: what a verdict is against if no other model of the user's is better.
GIVEN = "before"
# Means of floats: values that differ only in their last bits count as equal.
_DECIMALS = 9


def verdict(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the verdict of a comparison, which is that of its best evidence.

    It is against the best model that the user already had: the model as it was given, or a baseline
    that is a model and has a higher MRR on the same questions. The sentences about the verdict
    stand in `report.verdict`.

    Args:
        parts: the `sets` of `comparison.json` with their statistics.

    Returns:
        `word`: `better`, `worse` or `no_evidence`; `against`: `before`, or the name of a baseline;
        `set` and `source`: the questions on which the verdict is based; `held_out`: whether
        training saw none of them.
    """
    part = min(parts, key=_order)
    known = statistics_against(part)
    # The first of equal models is taken. It is the model as it was given.
    against = max(known, key=lambda name: round(known[name]["mrr"]["before"], _DECIMALS))
    return {
        "word": known[against]["verdict"],
        "against": against,
        "set": part["name"],
        "source": part["source"],
        "held_out": part["held_out"],
    }


def statistics_against(part: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the statistics of the shipped model against each model that the user had, by name."""
    baselines = part.get("baselines") or {}
    return {GIVEN: part["statistics"]} | {
        name: found["statistics"] for name, found in baselines.items() if "statistics" in found
    }


def _order(part: Mapping[str, Any]) -> tuple[int, int]:
    name = part["name"]
    return _SETS.index(name) if name in _SETS else len(_SETS), _SOURCES.index(part["source"])
