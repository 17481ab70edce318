"""Tests of the ground truths of held-out questions that training has seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def unseen_truths(
    truths: Sequence[Sequence[int]],
    asked: Sequence[int],
    seen: Sequence[int],
    alike: Callable[[int, int], bool],
) -> dict[int, list[bool]]:
    """Mark the ground truths of each question of `asked` that one of the questions `seen` has.

    Questions of which all ground truths are marked are left out.
    """
    found = {}
    for question in asked:
        marks = [
            any(alike(chunk, other) for row in seen for other in truths[row])
            for chunk in truths[question]
        ]
        if not all(marks):
            found[question] = marks
    return found
