"""The curves of loss and dev metric."""

from __future__ import annotations

import numpy as np

from stage2.report.figures.curves import curves
from stage2.report.figures.svg import width_of
from stage2.report.run import Round
from stage2.report.words import words
from tests.report.figures.views import Drawn, view
from tests.report.folders import epoch

LOG = [epoch(0, None, 0.35), epoch(1, 0.1, 0.5), epoch(2, 0.05, 0.625)]


def test_each_epoch_has_a_point_with_its_value() -> None:
    drawn = Drawn(curves(view(log=LOG)))
    assert drawn.titles() == [
        "Epoch 1: 0.1000", "Epoch 2: 0.0500",
        "Epoch 0: 0.3500", "Epoch 1: 0.5000", "Epoch 2: 0.6250",
    ]  # fmt: skip
    assert {"0", "1", "2"} <= set(drawn.texts())
    loss = [float(point.get("cy", "")) for point in drawn.all("circle", "point loss")]
    assert loss[1] > loss[0]  # down is less
    assert drawn.all("circle", "ring") == []


def test_the_chosen_epoch_has_a_ring() -> None:
    shipped = {"shipped": {"kind": "epoch", "epoch": 2}}
    drawn = Drawn(curves(view(log=LOG, record=shipped)))
    (ring,), points = drawn.all("circle", "ring"), drawn.all("circle", "point after")
    assert (ring.get("cx"), ring.get("cy")) == (points[2].get("cx"), points[2].get("cy"))


def test_a_line_stands_where_each_round_begins() -> None:
    rounds = [Round(2, 1, 12, 30), Round(3, 2, 1_000, None)]
    drawn = Drawn(curves(view(log=[*LOG, epoch(3, 0.04, 0.5)], rounds=rounds)))
    lines, loss = drawn.all("line", "round"), drawn.all("circle", "point loss")
    # A round begins where the epoch before it ends.
    assert [one.get("x1") for one in lines] == [point.get("cx") for point in loss[:2]]
    assert all(one.get("x1") == one.get("x2") for one in lines)
    assert {"round 2", "round 3"} <= set(drawn.texts())
    caption = drawn.figure.caption
    assert "Round 2 began after epoch 1, " in caption
    assert ": 12 of 30 are new." in caption
    assert caption.endswith(": 1,000 are new.")
    chinese = Drawn(curves(view(log=LOG, rounds=rounds[:1], say=words("zh"))))
    assert "第 2 次挖掘" in chinese.texts()
    assert drawn.figure.caption != chinese.figure.caption


def test_the_names_of_many_rounds_do_not_overlap() -> None:
    log = [epoch(0, None, 0.5), *(epoch(number, 0.1, 0.5) for number in range(1, 31))]
    rounds = [Round(number, number - 1, 5, 9) for number in range(2, 31)]
    drawn = Drawn(curves(view(log=log, rounds=rounds)))
    assert len(drawn.all("line", "round")) == 29
    named = [one for one in drawn.all("text", "middle") if (one.text or "").startswith("round")]
    places = [float(one.get("x", "")) for one in named]
    assert 3 <= len(places) < 29
    assert min(np.diff(places)) > width_of("round 2")


def test_one_epoch_and_equal_values_have_a_picture_too() -> None:
    drawn = Drawn(curves(view(log=[epoch(1, 0.0, 0.5)])))
    assert len(drawn.all("circle")) == 2


def test_without_training_there_is_no_figure() -> None:
    assert curves(view(log=LOG[:1])) is None
