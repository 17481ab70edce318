"""Baselines, before and after as bars with their intervals, and the change of MRR."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from stage2.evaluation.verdict import GIVEN, statistics_against
from stage2.report import numbers
from stage2.report.before_after import ACCURACIES, baselines_of, interval, sides, span
from stage2.report.figures.svg import (
    WIDTH,
    Figure,
    View,
    drawing,
    line,
    linear,
    mark,
    text,
    width_of,
)
from stage2.report.run import Record

_RIGHT = WIDTH - 50.0
_ROW, _BAR, _HEAD = 18.0, 9.0, 24.0


@dataclass(frozen=True)
class _Bar:
    """A ranking's value of one metric.

    Attributes:
        name: the name of the ranking.
        kind: the class of the bar.
        value: the value, from 0 to 1.
        shown: the value as it is written.
        ends: the ends of its interval, `low` and `high`, or None.
        span: the interval as it is written, or "".
    """

    name: str
    kind: str
    value: float
    shown: str
    ends: Record | None
    span: str


def bars(view: View) -> Figure | None:
    """Draw Top-1, Top-3, Top-5 and MRR on the questions that the verdict is about.

    Each is a group of bars, a bar for a ranking. Below them is the difference of MRR.
    """
    comparison = view.run.comparison
    part = judged(comparison)
    if part is None:
        return None
    left = 10 + max(width_of(bar.name) for bar in _bars(part, comparison, "mrr", view))
    parts, y = [], 0.0
    for key, name in {**ACCURACIES, "mrr": view.say("mrr")}.items():
        y += _HEAD
        parts.append(text(0, y - 7, name, "strong"))
        top = y
        for bar in _bars(part, comparison, key, view):
            parts.append(_drawn(bar, left, y, name, view))
            y += _ROW
        parts.append(line((left, top), (left, y), "axis"))
    against, change = _against(part, comparison)
    if change and len(sides(comparison)) == 2:
        y += _HEAD
        parts += _difference(change, _name(against, view), left, y, view)
        y += _ROW + 14
    title = view.say(
        "set_heading",
        count=f"{part['num_queries']:,}",
        set=view.say(f"set_{part['name']}"),
        source=view.say(f"among_{part['source']}"),
    )
    caption = view.words["bars_caption"]
    return Figure("bars", title, caption, drawing("bars", title, y + 2, *parts))


def judged(comparison: Record) -> Record | None:
    """Return the set that the verdict is about; without a verdict, the best evidence there is."""
    parts = comparison.get("sets") or []
    given = comparison.get("verdict")
    if given:
        wanted = given["set"], given["source"]
        return next((p for p in parts if (p["name"], p["source"]) == wanted), None)
    return next((p for p in parts if p["held_out"]), parts[-1] if parts else None)


def _bars(part: Record, comparison: Record, key: str, view: View) -> list[_Bar]:
    show = numbers.percent if key in ACCURACIES else numbers.decimal
    rankings = [(side, f"baseline_{side}", "base") for side in baselines_of(part)]
    rankings += [(side, name, side) for side, name in sides(comparison)]
    found = []
    for side, name, kind in rankings:
        metrics = part["baselines"][side] if kind == "base" else part[side]
        ends, written = interval(part, key, side), span(part, key, side)
        value = metrics[key]
        found.append(_Bar(view.say(name), kind, value, show(value), ends, written))
    return found


def _drawn(bar: _Bar, left: float, y: float, metric: str, view: View) -> Markup:
    x, middle = linear(0, 1, left, _RIGHT), y + _ROW / 2
    title, whisker = f"{bar.name}, {metric}: {bar.shown}", Markup()
    if bar.ends is not None:
        title += f", {view.words['range']} {bar.span}"
        whisker = _whisker(x(bar.ends["low"]), x(bar.ends["high"]), middle)
    rect = mark("rect", x=left, y=middle - _BAR / 2, width=x(bar.value) - left, height=_BAR,
                class_=f"bar {bar.kind}")  # fmt: skip
    label = text(left - 8, middle + 4, bar.name, "end")
    return mark("g", label, rect, whisker, text(WIDTH, middle + 4, bar.shown, "end"), title=title)


def _whisker(low: float, high: float, y: float) -> Markup:
    # The wider line below keeps the whisker visible on a bar of any colour.
    return Markup().join(line((low, y), (high, y), kind) for kind in ("halo", "whisker"))


def _against(part: Record, comparison: Record) -> tuple[str, Record]:
    """Return what the verdict is against, and the difference of MRR from it; {} if unknown."""
    if "statistics" not in part:
        return GIVEN, {}
    against = (comparison.get("verdict") or {}).get("against", GIVEN)
    return against, dict(statistics_against(part)[against]["mrr"])


def _name(against: str, view: View) -> str:
    return view.say(against if against == GIVEN else f"baseline_{against}")


def _difference(change: Record, name: str, left: float, y: float, view: View) -> list[Markup]:
    """Draw the paired difference of MRR with its interval, beside a line at zero."""
    low, high, value = (change[part] for part in ("low", "high", "difference"))
    reach = max(abs(low), abs(high), abs(value), 0.01)
    x, middle = linear(-reach, reach, left, _RIGHT - 16), y + _ROW / 2
    heading = view.words["mrr_change"].format(after=view.say("after"), name=name)
    interval = " – ".join(map(numbers.signed, (low, high)))
    title = f"{heading}: {numbers.signed(value)}, {view.words['range']} {interval}"
    # Two labels that would stand on each other are one, that of the upper end; a point needs none.
    labels = [low, high] if high - low > reach / 3 else [high][: high > low]
    return [
        text(0, y - 7, heading, "strong"),
        mark(
            "g",
            line((x(0), y), (x(0), y + _ROW), "zero"),
            _whisker(x(low), x(high), middle),
            mark("circle", cx=x(value), cy=middle, r=4, class_="point after"),
            text(WIDTH, middle + 4, numbers.signed(value), "end"),
            *(text(x(end), middle + 22, numbers.signed(end), "small", "middle") for end in labels),
            title=title,
        ),
    ]
