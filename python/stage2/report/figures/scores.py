"""The scores of ground truths and of hardest negatives, before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from markupsafe import Markup

from stage2.report import numbers
from stage2.report.before_after import sides as named_sides
from stage2.report.figures.svg import (
    WIDTH,
    Figure,
    Scale,
    View,
    drawing,
    line,
    linear,
    mark,
    text,
    ticks,
)

BINS = 24

_LEFT, _RIGHT = 6.0, WIDTH - 6.0
# A panel: its heading, bars above the line, bars below it.
_HEAD, _HALF, _GAP = 24.0, 58.0, 12.0
_PANEL = _HEAD + 2 * _HALF + _GAP


def scores(view: View) -> Figure | None:
    """Draw a histogram for each side: ground truths above its line, hardest negatives below it.

    The axis and the height of a question are those of both, so that the two can be compared.
    """
    sides = [(side, view.scores[side]) for side in ("before", "after") if view.scores.get(side)]
    values = [value for _, pairs in sides for pair in pairs for value in pair]
    if not values:
        return None
    low, high = min(values), max(values)
    if high - low < 1e-6:
        low, high = low - 0.5, high + 0.5
    x = linear(low, high, _LEFT, _RIGHT)
    counted = {side: [_counts([pair[part] for pair in pairs], low, high) for part in (0, 1)]
               for side, pairs in sides}  # fmt: skip
    most = max(max(counts) for both in counted.values() for counts in both)
    parts: list[Markup] = []
    names = {"after": "after"} | dict(named_sides(view.run.comparison))
    for number, (side, pairs) in enumerate(sides):
        top = number * _PANEL
        gap = median(right - wrong for right, wrong in pairs)
        parts.append(text(0, top + 13, view.say(names[side]), "strong"))
        told = view.words["median_gap"].format(gap=numbers.signed(gap))
        parts.append(text(WIDTH, top + 13, told, "small", "end"))
        middle = top + _HEAD + _HALF
        for part, way in ((0, -1), (1, 1)):
            name = view.words[("right", "hardest")[part]]
            height = linear(0, most, 0, _HALF)
            parts += _bars(counted[side][part], (low, high), x, middle, height, way, name)
            centre = x(median(pair[part] for pair in pairs))
            parts.append(line((centre, middle), (centre, middle + way * (_HALF + 2)),
                              "median"))  # fmt: skip
        parts.append(line((_LEFT, middle), (_RIGHT, middle), "axis"))
        if not number:
            parts += _names(counted[side], middle, view)
    bottom = len(sides) * _PANEL
    for tick in ticks(low, high, 6):
        parts.append(line((x(tick), bottom - 4), (x(tick), bottom), "axis"))
        parts.append(text(x(tick), bottom + 13, f"{tick:.3g}".replace("-", "−"), "small", "middle"))
    parts.append(text(WIDTH / 2, bottom + 30, view.words["score"], "middle"))
    title = view.words["scores_title"]
    kept = view.words["scores_held_out" if view.held_out else "scores_all"]
    caption = view.words["scores_caption"].format(count=f"{len(sides[0][1]):,}", kept=kept)
    if view.held_out and any(part.get("left_out") for part in view.run.comparison.get("sets", [])):
        caption += view.words["scores_seen"]
    if view.run.mining.get("source") == "corpus":
        caption += view.words["scores_mined"]
    return Figure("scores", title, caption, drawing("scores", title, bottom + 36, *parts))


def _counts(values: Sequence[float], low: float, high: float) -> list[int]:
    counts = [0] * BINS
    for value in values:
        counts[min(BINS - 1, int((value - low) / (high - low) * BINS))] += 1
    return counts


def _bars(
    counts: Sequence[int],
    ends: tuple[float, float],
    x: Scale,
    middle: float,
    height: Scale,
    way: int,
    name: str,
) -> Iterator[Markup]:
    width = (ends[1] - ends[0]) / BINS
    for number, count in enumerate(counts):
        if not count:
            continue
        start, end = ends[0] + number * width, ends[0] + (number + 1) * width
        tall = height(count)
        yield mark(
            "rect",
            x=x(start) + 0.5,
            y=middle - tall if way < 0 else middle,
            width=x(end) - x(start) - 1,
            height=tall,
            class_="bar right" if way < 0 else "bar base",
            title=f"{name}, {numbers.decimal(start)} – {numbers.decimal(end)}: {count:,}",
        )


def _names(both: Sequence[Sequence[int]], middle: float, view: View) -> Iterator[Markup]:
    """Write what stands above the line and below it, each at the end that is emptier."""
    half = BINS // 2
    for counts, y, name in zip(
        both, (middle - _HALF + 8, middle + _HALF), ("right", "hardest"), strict=True
    ):
        at_left = sum(counts[:half]) <= sum(counts[half:])
        place = (0.0, "start") if at_left else (WIDTH, "end")
        kind = ("small", place[1], *(["good"] if name == "right" else []))
        yield text(place[0], y, view.words[name], *kind)
