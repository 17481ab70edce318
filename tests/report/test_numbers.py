"""Numbers as people read them."""

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
