"""The figures of the page, in their order."""

from __future__ import annotations

from collections.abc import Callable

from stage2.report.figures.bars import bars
from stage2.report.figures.curves import curves
from stage2.report.figures.ranks import ranks
from stage2.report.figures.scores import scores
from stage2.report.figures.svg import Figure, View

# Each returns None if the folder lacks what it shows.
FIGURES: tuple[Callable[[View], Figure | None], ...] = (bars, ranks, scores, curves)


def pictures(view: View) -> list[Figure]:
    """Draw each figure for which the run folder has what it shows."""
    return [figure for draw in FIGURES if (figure := draw(view)) is not None]
