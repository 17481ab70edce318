"""The chart of the loss with the dev metric below it. Equal logs give equal bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from matplotlib import rc_context, style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stage2.report.run import Run

# Labels are English in every report, because a font for Chinese may be missing.
_LOSS = "#b5542b"
_DEV = "#2b6cb5"
_ROUND = "#6b6b6b"
# Random ids and dates would make every SVG differ.
_STYLE: dict[Any, Any] = {"svg.hashsalt": "stage2", "svg.fonttype": "path", "font.size": 10}
_METADATA = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}


def loss_curve(run: Run) -> dict[str, bytes]:
    """Draw the loss by epoch.

    Returns:
        The bytes of the image in each format, `png` and `svg`.
    """
    dev = [(row["epoch"], row["dev"]["mrr"]) for row in run.log if row.get("dev")]
    # matplotlib's default style is used, so that a user's matplotlibrc changes nothing.
    with style.context("default"), rc_context(_STYLE):
        figure = Figure(figsize=(6.4, 4.8 if dev else 3.2), dpi=144, layout="constrained")
        axes = figure.subplots(2 if dev else 1, 1, sharex=True, squeeze=False)[:, 0]
        losses = [(row["epoch"], row["loss"]) for row in run.epochs]
        _line(axes[0], losses, _LOSS, "training loss")
        axes[0].set_ylim(bottom=0)
        if dev:
            _line(axes[1], dev, _DEV, "dev MRR")
            _mark_shipped(axes[1], dict(dev), run.shipped_epoch)
        _mark_rounds(list(axes), run)
        axes[-1].set_xlabel("epoch")
        axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
        return {kind: _image(figure, kind) for kind in _METADATA}


def _line(axes: Axes, points: list[tuple[float, float]], colour: str, label: str) -> None:
    epochs, values = zip(*points, strict=True)
    axes.plot(epochs, values, marker="o", color=colour)
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _mark_rounds(axes: Sequence[Axes], run: Run) -> None:
    """Draw a line where each round begins, which has the round's number above the chart."""
    for one in run.rounds:
        for part in axes:
            part.axvline(one.after, color=_ROUND, linestyle="--", linewidth=1, zorder=0)
        axes[0].annotate(
            f"round {one.number}",
            (one.after, 1.0),
            xycoords=axes[0].get_xaxis_transform(),
            textcoords="offset points",
            xytext=(0, 3),
            ha="center",
            fontsize="small",
            color=_ROUND,
        )


def _mark_shipped(axes: Axes, dev: dict[float, float], epoch: float | None) -> None:
    if epoch is None or epoch not in dev:
        return
    axes.plot(epoch, dev[epoch], marker="o", markersize=12, fillstyle="none", color=_DEV)
    axes.annotate(
        "chosen",
        (epoch, dev[epoch]),
        textcoords="offset points",
        xytext=(0, -18),
        ha="center",
        color=_DEV,
    )


def _image(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, metadata=_METADATA[kind])
    return buffer.getvalue()
