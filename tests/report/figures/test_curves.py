"""The curves of loss and dev metric."""

from __future__ import annotations

from stage2.report.figures.curves import curves
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


def test_one_epoch_and_equal_values_have_a_picture_too() -> None:
    drawn = Drawn(curves(view(log=[epoch(1, 0.0, 0.5)])))
    assert len(drawn.all("circle")) == 2


def test_without_training_there_is_no_figure() -> None:
    assert curves(view(log=LOG[:1])) is None
