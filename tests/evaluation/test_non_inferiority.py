"""A loss that is not found is not called none: `not worse` needs evidence of its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stage2.evaluation.non_inferiority import (
    NOT_WORSE,
    UNDECIDED,
    WORSE,
    least_groups,
    non_inferiority,
)
from tests.reference.non_inferiority import lower_end


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 5)), min_size=1, max_size=12),
    st.integers(0, 9),
)
def test_the_lower_end_is_the_slow_one(rows: list[tuple[float, int]], seed: int) -> None:
    differences, groups = map(list, zip(*rows, strict=True))
    found = non_inferiority(np.asarray(differences), groups, 0.1, seed, resamples=200)
    assert found.low == pytest.approx(lower_end(differences, groups, seed, 200), abs=1e-9)
    assert found.low <= found.mean + 1e-9
    assert found.groups == len(set(groups))


@pytest.mark.parametrize(("count", "lost"), [(30, 0), (30, 3), (200, 1), (400, 7)])
def test_where_questions_lose_all_or_nothing_it_is_clopper_s_and_pearson_s(
    count: int, lost: int
) -> None:
    differences = np.zeros(count)
    differences[:lost] = -1
    exact = stats.binomtest(lost, count, alternative="less").proportion_ci(method="exact").high
    found = non_inferiority(differences, None, 0.1, resamples=40_000)
    assert -found.low == pytest.approx(exact, rel=0.03)


def test_few_questions_that_did_not_change_show_nothing() -> None:
    least = least_groups(0.1)
    assert (least, least_groups(0.01)) == (29, 299)
    assert (1 - 0.1) ** least <= 0.05 < (1 - 0.1) ** (least - 1)
    assert non_inferiority(np.zeros(least - 4), None, 0.1).verdict == UNDECIDED
    assert non_inferiority(np.zeros(least + 4), None, 0.1).verdict == NOT_WORSE
    # A hundred questions about one chunk are one.
    assert non_inferiority(np.zeros(100), np.zeros(100, np.int64), 0.1).verdict == UNDECIDED


def test_the_three_verdicts() -> None:
    noise = np.tile([0.1, -0.1], 200)
    assert non_inferiority(noise, None, 0.05).verdict == NOT_WORSE
    assert non_inferiority(noise, None, 0.005).verdict == UNDECIDED
    certain = non_inferiority(noise - 0.1, None, 0.05)
    assert (certain.verdict, certain.high < 0, certain.p < 0.001) == (WORSE, True, True)
    # A certain loss below the margin is what the margin allows.
    small = non_inferiority(noise - 0.02, None, 0.1)
    assert (small.verdict, small.high < 0) == (NOT_WORSE, True)


def test_few_changes_are_not_called_worse_by_an_interval_alone() -> None:
    differences = np.zeros(60)
    differences[:4] = -0.5
    found = non_inferiority(differences, None, 0.01)
    assert found.high < 0
    assert found.p == pytest.approx(1 / 2**4)
    assert found.verdict == UNDECIDED


def test_a_model_that_is_worse_by_the_margin_is_called_not_worse_in_one_of_twenty_at_most() -> None:
    said = 0
    for seed in range(200):
        lost = np.random.default_rng(seed).random(60) < 0.1
        said += non_inferiority(-lost.astype(float), None, 0.1, seed, 500).verdict == NOT_WORSE
    # 5% of 200 are 10; more than 18 of them come once in a hundred times.
    assert said <= 18


def test_equal_seeds_give_equal_answers_and_blocks_leave_no_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(0).normal(0, 0.2, 77).clip(-1, 1)
    once = non_inferiority(values, None, 0.1, 4)
    monkeypatch.setattr("stage2.evaluation.statistics._BLOCK", 3001)
    assert non_inferiority(values, None, 0.1, 4) == once
    assert non_inferiority(values, None, 0.1, 5) != once
