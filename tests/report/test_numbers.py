"""Numbers as text."""

from __future__ import annotations

import pytest

from stage2.report import numbers


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (numbers.counted(0.1, 50), "10.0% (5/50)"),
        (numbers.counted(1 / 6, 4), "16.7% (0.7/4)"),
        (numbers.change(0.0998, 0.0527), "−47.2%"),
        (numbers.change(0.0, 0.1), "–"),
        (numbers.points(-0.0001), "+0.0 pp"),
        (numbers.points(-0.1), "−10.0 pp"),
        (numbers.difference(0.5, 0.4), "−0.100"),
        (numbers.size(1023), "1023 B"),
        (numbers.size(500_000_000), "476.8 MiB"),
        (numbers.size(5 << 30), "5.0 GiB"),
    ],
)
def test_numbers(written: str, expected: str) -> None:
    assert written == expected


@pytest.mark.parametrize("value", [-0.0004, -1e-12, -0.0, 0.0])
def test_what_rounds_to_nothing_has_no_sign(value: float) -> None:
    assert numbers.signed(value) == "+0.000"
    assert numbers.decimal(value) == "0.000"
    assert numbers.percent(value / 100) == "0.0%"
    assert numbers.points(value / 100) == "+0.0 pp"
    assert numbers.change(1.0, 1.0 + value / 100) == "+0.0%"
    assert numbers.span(value / 100, 0.5) == "0–50%"


def test_other_numbers_are_as_they_were() -> None:
    assert numbers.signed(-0.0006) == "−0.001"
    assert numbers.change(0.0998, 0.0527) == "−47.2%"
