"""The verdict: one test on one set of questions, both fixed before anything is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# The sets that can decide the verdict, the best evidence first: all questions, each scored by a
# model that was not trained on it; questions set aside; all questions, if nothing else is there.
_SETS = ("cross-validated", "test", "all")
# The corpus comes first: users search it, and the candidates of a sample are easier.
_SOURCES = ("corpus", "candidates")


def verdict(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the verdict of a comparison, which is that of its best evidence.

    The sentences about the verdict stand in `report.verdict`.

    Args:
        parts: the `sets` of `comparison.json` with their statistics.

    Returns:
        `word`: `better`, `worse` or `no_evidence`; `set` and `source`: the questions on which the
        verdict is based; `held_out`: whether training saw none of them.
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
