"""Numbers as text with a fixed number of decimals, and zero without a sign."""

from __future__ import annotations

import pytest

from stage2.utils.decimals import fixed


@pytest.mark.parametrize("value", [-0.0004, -1e-12, -0.0, 0.0])
def test_what_rounds_to_nothing_has_no_sign(value: float) -> None:
    assert fixed(value, 3) == "0.000"
    assert fixed(value, 3, "+") == "0.000"


def test_other_numbers_keep_their_sign() -> None:
    assert (fixed(-0.0006, 3), fixed(0.31, 1, "+")) == ("-0.001", "+0.3")
