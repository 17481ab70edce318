"""Each question's rank before against its rank after, a point that leads to the question."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup

from stage2.report.figures.svg import (
    WIDTH,
    Figure,
    Scale,
    View,
    drawing,
    line,
    logarithmic,
    mark,
    rank_ticks,
    text,
)
from stage2.report.run import Record

# More points would be a cloud, and a page that opens slowly.
POINTS = 2_000

_LEFT, _TOP, _PLOT, _PAD = 34.0, 8.0, WIDTH - 40.0, 16.0
_HEIGHT = _TOP + _PLOT + 38.0
_RADIUS = 3.4
# Points at one place stand on a spiral, at this distance if there is room. The angle is the golden
# one, as of the seeds of a sunflower: no two stand in a line.
_DISTANCE = 3.6
_ANGLE = math.pi * (3 - math.sqrt(5))
# A shape for each direction, so that the colour is not all that tells them apart.
_SHAPES = {
    "better": "m0-4.2 4 7h-8z",
    "worse": "m0 4.2 4-7h-8z",
    "same": "m-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0-6.4 0z",
}


def ranks(view: View) -> Figure | None:
    """Draw the ranks on two logarithmic axes, 1 at the left and at the top.

    A question above the diagonal ranks better than before. Of many questions, some at equal
    distances in the file are drawn, which the caption says.
    """
    shown = drawn(view)
    if not shown:
        return None
    worst = max(10.0, *(row[side] for row in shown for side in ("before", "after")))
    x = logarithmic(1, worst, _LEFT + _PAD, _LEFT + _PLOT - _PAD)
    y = logarithmic(1, worst, _TOP + _PAD, _TOP + _PLOT - _PAD)
    words = view.words
    points = mark("g", *_points(shown, x, y), class_="points")
    caption = words["ranks_caption"]
    if shown[0]["href"] is not None:
        caption += words["ranks_lead"]
    if not any(row["held_out"] for row in shown):
        caption += words["ranks_seen"]
    elif not all(row["held_out"] for row in shown):
        caption += words["ranks_hollow"]
    if len(shown) < view.count:
        caption += words["ranks_some"].format(shown=f"{len(shown):,}", count=f"{view.count:,}")
    title = words["ranks_title"]
    parts = (*_frame(x, y, worst, words), points, *_sides(words))
    picture = drawing("ranks", title, _HEIGHT, *parts, role="group")
    return Figure("ranks", title, caption, picture)


def drawn(view: View) -> list[Record]:
    """Return the rows of the questions that are drawn; none if there is no before and after."""
    known = [row for row in view.rows if row["before"] is not None and row["after"] is not None]
    if not known or len(view.run.comparison.get("models", (0, 0))) == 1:
        return []
    return known[:: math.ceil(len(known) / POINTS)]


def _frame(x: Scale, y: Scale, worst: float, words: Mapping[str, str]) -> Iterator[Markup]:
    """Draw the axes, the diagonal, and what is on each side of it."""
    right, bottom = _LEFT + _PLOT, _TOP + _PLOT
    for rank in rank_ticks(worst):
        yield line((x(rank), _TOP), (x(rank), bottom), "grid")
        yield line((_LEFT, y(rank)), (right, y(rank)), "grid")
        yield text(x(rank), bottom + 14, f"{rank:,}", "small", "middle")
        yield text(_LEFT - 5, y(rank) + 4, f"{rank:,}", "small", "end")
    yield line((_LEFT, _TOP), (right, bottom), "diagonal")
    yield text((_LEFT + right) / 2, bottom + 32, words["rank_before"], "middle")
    yield text(10, (_TOP + bottom) / 2, words["rank_after"], "middle", turn=-90)


def _sides(words: Mapping[str, str]) -> Iterator[Markup]:
    """Write what is on each side of the diagonal, over points that are there."""
    middle, right, bottom = _TOP + _PLOT / 2, _LEFT + _PLOT, _TOP + _PLOT
    yield text(right - 6, middle, f"▲ {words['better_rank']}", "small", "over", "end", "good")
    yield text(_LEFT + 6, bottom - 8, f"▼ {words['worse_rank']}", "small", "over", "bad")


def _points(shown: Sequence[Record], x: Scale, y: Scale) -> Iterator[Markup]:
    places: dict[tuple[float, float], list[Record]] = defaultdict(list)
    for row in shown:
        places[row["before"], row["after"]].append(row)
    # From the worst to the best rank before: the order in which the keyboard goes through them.
    for (before, after), rows in sorted(places.items(), reverse=True):
        for (right, down), row in zip(_spiral(len(rows), before, after, x, y), rows, strict=True):
            yield _point(row, x(before) + right, y(after) + down)


def _spiral(
    count: int, before: float, after: float, x: Scale, y: Scale
) -> Iterator[tuple[float, float]]:
    """Yield the distance of each of so many points from their common place."""
    # They stay nearer to their place than to the next rank.
    room = max(_RADIUS, min(_PAD, (x(before + 1) - x(before)) / 2, (y(after + 1) - y(after)) / 2))
    step = min(_DISTANCE, room / math.sqrt(count))
    for number in range(count):
        distance = step * math.sqrt(number)
        yield distance * math.cos(number * _ANGLE), distance * math.sin(number * _ANGLE)


def _point(row: Record, right: float, down: float) -> Markup:
    before, after = row["before"], row["after"]
    way = "better" if after < before else "worse" if after > before else "same"
    # The ranks have a line of their own, without marks of direction: no foreign text turns them.
    named = "".join(char if char.isprintable() else "\ufffd"
                    for char in f"{row['id']}: {row['question']}")  # fmt: skip
    title = f"{before:g} → {after:g}\n{named}"
    shape = mark("path", d=f"M{right:.1f} {down:.1f}{_SHAPES[way]}",
                 class_=way if row["held_out"] else f"{way} hollow")  # fmt: skip
    if row["href"] is None:
        return mark("g", shape, title=title)
    return mark("a", shape, title=title, href=row["href"])
