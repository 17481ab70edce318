"""Nested subsets of whole groups, against a slow obvious twin."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stage2.data.subsets import nested
from tests.reference.subsets import slow_nested

NAMES = st.lists(st.sampled_from([f"c{i}" for i in range(12)]), min_size=1, max_size=40)
SIZES = st.lists(st.integers(0, 45), min_size=1, max_size=5)


@given(NAMES, SIZES, st.integers(0, 3), st.data())
def test_subsets_are_those_of_the_slow_twin(
    names: list[str], sizes: list[int], seed: int, data: st.DataObject
) -> None:
    kept = data.draw(st.lists(st.sampled_from(range(len(names))), unique=True))
    rows = np.asarray(sorted(kept), np.int64)
    found = nested(rows, names, sizes, seed)
    assert [part.tolist() for part in found] == slow_nested(kept, names, sizes, seed)
    assert all(part.dtype == np.int64 for part in found)


@given(NAMES, SIZES, st.integers(0, 3))
def test_a_larger_subset_holds_the_smaller_ones_and_groups_are_whole(
    names: list[str], sizes: list[int], seed: int
) -> None:
    rows = np.arange(len(names))
    by_size = sorted(
        zip(sizes, nested(rows, names, sizes, seed), strict=True), key=lambda one: one[0]
    )
    before: set[int] = set()
    for size, part in by_size:
        inside = set(part.tolist())
        assert before <= inside
        assert len(inside) >= min(size, len(names))
        assert not {names[row] for row in inside} & {
            names[row] for row in rows.tolist() if row not in inside
        }
        before = inside


def test_another_seed_draws_others_and_rows_left_out_change_no_order() -> None:
    names = [f"g{i}" for i in range(40)]
    rows = np.arange(40)
    drawn = [nested(rows, names, [10], seed)[0].tolist() for seed in range(4)]
    assert len({tuple(one) for one in drawn}) == 4
    # Without a question of the first ten the other nine are still the first.
    without = nested(np.setdiff1d(rows, drawn[0][:1]), names, [9], 0)[0].tolist()
    assert without == drawn[0][1:]
