"""Scales, ticks, and SVG that is escaped."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from stage2.report.figures.svg import (
    drawing,
    linear,
    logarithmic,
    mark,
    rank_ticks,
    text,
    ticks,
    width_of,
)
from tests.report.figures.views import HOSTILE


def test_nothing_that_is_written_ends_its_element() -> None:
    written = drawing("a", HOSTILE, 10, mark("a", text(1, 2, HOSTILE), title=HOSTILE, href=HOSTILE))
    root = ElementTree.fromstring(written)
    assert [e.tag for e in root.iter()] == ["svg", "a", "title", "text"]
    link = root[0]
    assert (root.get("aria-label"), link.get("href"), link[0].text, link[1].text) == (HOSTILE,) * 4


def test_numbers_are_short() -> None:
    assert mark("rect", x=1 / 3, y=-0.001, width=100, stroke_width=2.5) == (
        '<rect x="0.33" y="-0" width="100" stroke-width="2.5"></rect>'
    )


def test_scales() -> None:
    assert [linear(2, 4, 100, 0)(value) for value in (2, 3, 4)] == [100, 50, 0]
    assert logarithmic(1, 100, 0, 10)(10) == pytest.approx(5)


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0, 1, 6, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.03, 0.41, 5, [0.1, 0.2, 0.3, 0.4]),
        (-0.5, 0.5, 5, [-0.5, 0, 0.5]),
        (0, 5, 11, [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]),
        (0, 300, 11, [0, 50, 100, 150, 200, 250, 300]),
    ],
)
def test_ticks_are_round(low: float, high: float, most: int, expected: list[float]) -> None:
    found = ticks(low, high, most)
    assert found == pytest.approx(expected)
    assert len(found) <= most


def test_ticks_of_ranks() -> None:
    assert rank_ticks(10) == [1, 2, 5, 10]
    assert rank_ticks(1231)[-4:] == [100, 200, 500, 1000]
    assert rank_ticks(10_000) == [1, 10, 100, 1000, 10_000]


def test_chinese_is_wider() -> None:
    assert width_of("训练前") > width_of("abc") > width_of("ab")
