"""The assignment of groups to parts."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2.data.balance import Dealt, deal


@given(
    st.dictionaries(st.text("abc", min_size=1), st.integers(1, 30), min_size=3, max_size=40),
    st.lists(st.integers(1, 5), min_size=2, max_size=5),
    st.randoms(use_true_random=False),
)
def test_dealing_parts_all_groups_and_leaves_no_part_empty(
    sizes: dict[str, int], weights: list[int], draws: random.Random
) -> None:
    shares = [weight / sum(weights) for weight in weights]
    first = {name: draws.randint(0, len(shares) - 1) for name in sizes}
    dealt = deal(sizes, first, shares)
    assert dealt.part_of.keys() == sizes.keys()
    if len(sizes) >= len(shares):
        assert set(dealt.part_of.values()) == set(range(len(shares)))
    counts = [0] * len(shares)
    for name, part in dealt.part_of.items():
        counts[part] += sizes[name]
    total = sum(sizes.values())
    astray = [abs(count / total - share) for count, share in zip(counts, shares, strict=True)]
    assert dealt.error == pytest.approx(max(astray))
    # No part misses its share by more than the largest group, unless each has only one group.
    if len(sizes) > 3 * len(shares) and max(sizes.values()) <= 0.5 * total * min(shares):
        assert max(astray) <= max(0.05, max(sizes.values()) / total)


def test_groups_stay_where_they_fall_as_long_as_the_shares_come_out() -> None:
    sizes = dict.fromkeys("abcdefghij", 2)
    first = {name: int(number >= 6) for number, name in enumerate(sizes)}
    dealt = deal(sizes, first, (0.6, 0.4))
    assert dealt == Dealt(first, error=0.0, empty=False)
    within = deal(sizes, first, (0.64, 0.36))
    assert within.part_of == first
    assert within.error == pytest.approx(0.04)


def test_the_last_group_moves_first() -> None:
    sizes = dict.fromkeys("abcd", 1)
    dealt = deal(sizes, dict.fromkeys(sizes, 0), (0.75, 0.25))
    assert dealt.part_of == {"a": 0, "b": 0, "c": 0, "d": 1}


def test_a_group_larger_than_its_share_is_told() -> None:
    dealt = deal({"large": 9, "small": 1}, {"large": 0, "small": 1}, (0.5, 0.5))
    assert dealt.error == pytest.approx(0.4)
    assert not dealt.empty
    assert deal({"large": 9}, {"large": 0}, (0.5, 0.5)).empty
