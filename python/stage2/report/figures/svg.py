"""The parts of the page's figures: what they are made from, scales, and escaped SVG.

Nothing here has a colour: each mark has a class, to which the page's style gives one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from stage2.report.run import Record, Run
from stage2.report.words import Words

# All figures are as wide, in SVG's units: two stand side by side on a screen, one on a phone, and
# the writing has about the size of the page's own on both.
WIDTH = 360.0

Scale = Callable[[float], float]


@dataclass(frozen=True)
class View:
    """The parts that figures are made from.

    Attributes:
        run: the run folder.
        rows: a row for each question that is shown, with the address of its entry as `href`, or
            None where the page has no entries.
        count: the number of all questions.
        scores: by side, the scores of each held-out question's best ground truth and of its hardest
            negative; of all questions if none is held out.
        held_out: whether `scores` are those of held-out questions.
        words: the words of the page.
        say: the sentences of the report.
    """

    run: Run
    rows: Sequence[Record]
    count: int
    scores: Mapping[str, Sequence[tuple[float, float]]]
    held_out: bool
    words: Mapping[str, str]
    say: Words


@dataclass(frozen=True)
class Figure:
    """A picture with its words.

    Attributes:
        name: the id of the figure on the page.
        title: what it shows.
        caption: how to read it.
        picture: the SVG.
    """

    name: str
    title: str
    caption: str
    picture: Markup


def mark(tag: str, *children: Markup, title: str = "", **attributes: str | float) -> Markup:
    """Write an SVG element. Attributes are escaped, and `_` in their names stands for `-`.

    Args:
        tag: the name of the element.
        children: what it contains.
        title: what a browser shows beside the pointer, and what a screen reader says.
        attributes: the attributes; `class_` stands for `class`. Numbers get two decimals at most.
    """
    named = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_written(value))}"'
        for name, value in attributes.items()
    )
    inside = (Markup("<title>{}</title>").format(title) if title else "") + Markup().join(children)
    return Markup(f"<{tag}{named}>{inside}</{tag}>")  # each part is escaped above


def text(x: float, y: float, written: str, *classes: str, turn: float = 0.0) -> Markup:
    """Write a text on the base line `y`, turned by `turn` degrees.

    The classes `end` and `middle` align it to `x`.
    """
    turned = {"transform": f"rotate({turn:g} {_written(x)} {_written(y)})"} if turn else {}
    return mark("text", escape(written), x=x, y=y, class_=" ".join(("label", *classes)), **turned)


def line(start: tuple[float, float], end: tuple[float, float], class_: str) -> Markup:
    """Write a straight line between two points."""
    return mark("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=class_)


def path(points: Sequence[tuple[float, float]], class_: str) -> Markup:
    """Write a line through points."""
    places = "L".join(f"{_written(x)} {_written(y)}" for x, y in points)
    return mark("path", d=f"M{places}", class_=class_)


def drawing(name: str, title: str, height: float, *parts: Markup, role: str = "img") -> Markup:
    """Write the whole SVG of a figure.

    Args:
        name: the id of the figure.
        title: the name that a screen reader says.
        height: the height in SVG's units.
        parts: what it contains.
        role: `img`, or `group` if it contains links, which the first would hide.
    """
    view = f"0 0 {_written(WIDTH)} {_written(height)}"
    return mark("svg", *parts, id=f"{name}-picture", viewBox=view, role=role, aria_label=title)


def linear(low: float, high: float, start: float, end: float) -> Scale:
    """Return the scale that takes `low` to `start` and `high` to `end`."""
    return lambda value: start + (value - low) / (high - low) * (end - start)


def logarithmic(low: float, high: float, start: float, end: float) -> Scale:
    """Return the logarithmic scale that takes `low` to `start` and `high` to `end`."""
    straight = linear(math.log(low), math.log(high), start, end)
    return lambda value: straight(math.log(value))


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return round numbers from `low` to `high`, at most `most` and at equal distances.

    The distance is 1, 2 or 5 times a power of ten. `high` must be above `low`.
    """
    rough = (high - low) / max(1, most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def rank_ticks(high: float) -> list[int]:
    """Return the ranks 1, 2, 5, 10, 20, 50 and so on up to `high`; of many only powers of ten."""
    powers = [10**power for power in range(math.floor(math.log10(high) + 1e-9) + 1)]
    steps = (1, 2, 5) if len(powers) < 5 else (1,)
    return [times * power for power in powers for times in steps if times * power <= high]


def width_of(written: str) -> float:
    """Estimate the width of a text of the usual size; a Chinese character is as wide as high."""
    return sum(11.5 if char > "\u2e7f" else 6.8 for char in written)


def _written(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.2f}".rstrip("0").rstrip(".")
