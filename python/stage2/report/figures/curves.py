"""The training loss and the dev metric by epoch, with a line where each round begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from stage2.report.figures.svg import (
    WIDTH,
    Figure,
    Scale,
    View,
    drawing,
    line,
    linear,
    mark,
    path,
    text,
    ticks,
    width_of,
)
from stage2.report.training import rounds

_LEFT, _RIGHT = 40.0, WIDTH - 14.0
_HEAD, _PLOT, _GAP = 24.0, 112.0, 18.0
_PANEL = _HEAD + _PLOT + _GAP
# The room between two names of rounds.
_NAME_GAP = 8.0

Points = Sequence[tuple[float, float]]


def curves(view: View) -> Figure | None:
    """Draw the loss above, the MRR of the dev questions below, with a ring at the chosen epoch."""
    losses = [(row["epoch"], row["loss"]) for row in view.run.epochs]
    if not losses:
        return None
    dev = [(row["epoch"], row["dev"]["mrr"]) for row in view.run.log if row.get("dev")]
    first = min(epoch for epoch, _ in [*losses, *dev])
    last = max(epoch for epoch, _ in [*losses, *dev])
    x = linear(first, max(last, first + 1), _LEFT + 8, _RIGHT)
    height = _PANEL * (2 if dev else 1)
    # They stand behind the curves.
    parts = [*_beginnings(x, height, view)]
    parts += _panel(losses, x, 0.0, view.words["loss"], "loss", None, view)
    if dev:
        chosen = view.run.shipped_epoch
        parts += _panel(dev, x, _PANEL, view.words["dev"], "after", chosen, view)
    for epoch in ticks(first, max(last, first + 1), 11):
        if epoch == int(epoch):
            parts.append(text(x(epoch), height - 2, f"{epoch:.0f}", "small", "middle"))
    parts.append(text((_LEFT + _RIGHT) / 2, height + 15, view.words["epoch"], "middle"))
    title = view.words["training"]
    picture = drawing("curves", title, height + 22, *parts)
    caption = " ".join([view.words["curves_caption"], *rounds(view.run, view.say)])
    return Figure("curves", title, caption, picture)


def _beginnings(x: Scale, bottom: float, view: View) -> Iterator[Markup]:
    """Draw a line where each round begins, with its name above it as far as there is room."""
    free = _LEFT
    for one in view.run.rounds:
        name, at = view.say("round_number", number=one.number), x(one.after)
        yield mark("line", x1=at, y1=_HEAD + 6, x2=at, y2=bottom - _GAP, class_="round", title=name)
        start = at - width_of(name) / 2
        if start >= free and at + width_of(name) / 2 <= WIDTH:
            yield text(at, _HEAD + 3, name, "small", "middle")
            free = at + width_of(name) / 2 + _NAME_GAP


def _panel(
    points: Points, x: Scale, top: float, name: str, kind: str, chosen: float | None, view: View
) -> Iterator[Markup]:
    """Draw one curve. The loss stands on zero; the dev metric has the room that it needs."""
    values = [value for _, value in points]
    low, high = (0.0 if kind == "loss" else min(values)), max(values)
    if high - low < 1e-6:
        low, high = low - 0.05, high + 0.05
    y = linear(low, high, top + _HEAD + _PLOT, top + _HEAD + 8)
    yield text(0, top + 13, name, "strong")
    for tick in ticks(low, high, 5):
        yield line((_LEFT, y(tick)), (_RIGHT + 8, y(tick)), "grid")
        yield text(_LEFT - 5, y(tick) + 4, f"{tick:.4g}".replace("-", "−"), "small", "end")
    yield path([(x(epoch), y(value)) for epoch, value in points], f"curve {kind}")
    for epoch, value in points:
        if epoch == chosen:
            yield mark("circle", cx=x(epoch), cy=y(value), r=7.5, class_=f"ring {kind}")
            # The word stays inside the figure, and above the axis.
            align = "end" if epoch == points[-1][0] else "middle"
            at = y(value) + (21 if y(value) < top + _HEAD + _PLOT - 26 else -13)
            yield text(x(epoch) + 7 * (align == "end"), at, view.words["chosen"], "small", align)
        yield mark("circle", cx=x(epoch), cy=y(value), r=3.4, class_=f"point {kind}",
                   title=f"{view.words['epoch']} {epoch}: {value:.4f}")  # fmt: skip
