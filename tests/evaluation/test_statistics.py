from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stage2.evaluation.non_inferiority import NonInferiority
from stage2.evaluation.statistics import (
    Difference,
    mcnemar,
    mean_intervals,
    paired_differences,
    verdict_of,
    wilson,
)

Doubles = npt.NDArray[np.float64]


@given(total=st.integers(1, 2000), share=st.floats(0, 1))
def test_wilson_is_scipys(total: int, share: float) -> None:
    successes = round(share * total)
    expected = stats.binomtest(successes, total).proportion_ci(method="wilson")
    assert wilson(successes / total, total) == pytest.approx(tuple(expected), abs=1e-9)


@given(fixed=st.integers(0, 300), broken=st.integers(0, 300))
def test_mcnemar_is_scipys_binomial_test(fixed: int, broken: int) -> None:
    expected = stats.binomtest(fixed, fixed + broken).pvalue if fixed + broken else 1.0
    assert mcnemar(fixed, broken) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("count", [2, 5, 13])
def test_randomisation_of_few_questions_is_scipys_permutation_test(count: int) -> None:
    values = np.random.default_rng(count).normal(0.4, 1, count)
    expected = stats.permutation_test(
        (values, np.zeros(count)),
        lambda left, right, axis: np.mean(left - right, axis=axis),
        permutation_type="samples",
    )
    assert paired_differences([values])[0].p == pytest.approx(expected.pvalue, abs=1e-9)


def test_randomisation_of_many_questions_is_close_to_the_exact_answer() -> None:
    values = np.random.default_rng(3).normal(0.3, 1, 18)
    exact = paired_differences([values], resamples=2**18)[0].p
    drawn = paired_differences([values], resamples=50_000)[0].p
    assert 0.01 < exact < 0.9
    assert drawn == pytest.approx(exact, abs=5 * (exact * (1 - exact) / 50_000) ** 0.5)


@pytest.mark.parametrize("count", [3, 50, 401])
def test_bootstrap_is_scipys_on_the_same_draws(count: int) -> None:
    values = np.random.default_rng(count).normal(0, 1, count)
    expected = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=10_000, batch=500,
        rng=np.random.default_rng([7, 0]),
    ).confidence_interval  # fmt: skip
    found = paired_differences([values], seed=7)[0]
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("count", [3, 50])
def test_intervals_of_means_are_scipys_and_those_of_the_differences(count: int) -> None:
    values = np.random.default_rng(count).random((2, count))
    expected = stats.bootstrap(
        (values[1],), np.mean, method="percentile", n_resamples=10_000, batch=500,
        rng=np.random.default_rng([7, 0]),
    ).confidence_interval  # fmt: skip
    found = mean_intervals(values, seed=7)
    assert found[1]["value"] == pytest.approx(values[1].mean())
    ends = found[1]["low"], found[1]["high"]
    assert ends == pytest.approx((expected.low, expected.high), abs=1e-9)
    groups = np.arange(count) // 3
    grouped, paired = mean_intervals(values, groups, 7), paired_differences(values, groups, 7)
    assert [(one["low"], one["high"]) for one in grouped] == [(p.low, p.high) for p in paired]


def test_equal_seeds_give_equal_answers_and_blocks_leave_no_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(0).normal(0.05, 1, (2, 301))
    once = paired_differences(values, seed=1)
    monkeypatch.setattr("stage2.evaluation.statistics._BLOCK", 3001)
    assert paired_differences(values, seed=1) == once
    assert paired_differences(values, seed=2) != once


def test_one_event_told_many_times_is_no_more_evidence() -> None:
    """All 25 questions of each of four chunks got better: these are four events, not a hundred."""
    values = np.repeat([0.1, 0.2, 0.1, 0.3], 25)
    groups = np.repeat([3, 1, 2, 0], 25)
    alone, together = (paired_differences([values], of)[0] for of in (None, groups))
    assert alone.p < 0.001
    assert together.p == 2 / 2**4
    assert together.mean == alone.mean
    assert together.high - together.low > alone.high - alone.low


def test_no_difference_is_no_evidence() -> None:
    found = paired_differences(np.zeros((1, 40)))[0]
    assert found == Difference(0.0, 0.0, 0.0, 1.0)
    assert verdict_of(found) == "no_evidence"


def test_the_verdict_keeps_its_error_rate() -> None:
    """In 300 experiments without an effect, over 5% either way is less likely than 1 in 1,000."""
    words = [
        verdict_of(paired_differences([experiment(seed, 0.0)], seed=seed, resamples=999)[0])
        for seed in range(300)
    ]
    assert words.count("better") <= 15
    assert words.count("worse") <= 15


def test_the_verdict_finds_ten_points() -> None:
    words = [
        verdict_of(paired_differences([experiment(seed, 0.1)], seed=seed, resamples=999)[0])
        for seed in range(50)
    ]
    assert words.count("better") >= 45


def experiment(seed: int, effect: float, count: int = 400) -> Doubles:
    """Simulate differences of Top-1 of two models that differ on a quarter of the questions."""
    generator = np.random.default_rng([11, seed])
    drawn = generator.random(count)
    fixed = drawn < (0.25 + effect) / 2
    broken = ~fixed & (drawn < 0.25)
    return fixed.astype(np.float64) - broken


def test_interval_is_wilsons() -> None:
    # The numbers are those of scipy.stats.binomtest(...).proportion_ci(method="wilson").
    assert wilson(0.1, 50) == pytest.approx((0.04347, 0.21360), abs=1e-5)
    assert wilson(0.0, 10) == pytest.approx((0.0, 0.27753), abs=1e-5)
    assert wilson(1.0, 10) == pytest.approx((0.72247, 1.0), abs=1e-5)


def test_a_difference_has_the_entries_of_the_files() -> None:
    plain = Difference(mean=0.25, low=-0.5, high=0.75, p=0.125)
    entries = {"difference": 0.25, "low": -0.5, "high": 0.75, "p": 0.125}
    assert plain.entries == entries
    one_sided = NonInferiority(**vars(plain), groups=4, verdict="worse")
    assert one_sided.entries == entries
