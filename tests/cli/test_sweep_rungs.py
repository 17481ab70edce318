"""The plan of a search within a budget, and what each rung keeps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2.cli.sweep_rungs import Cost, Estimate, kept, kept_counts, more, planned
from stage2.utils.errors import BadInputError
from tests.reference.rungs import slow_plan, slow_search

LEVELS = 3
TIMES = st.lists(
    st.lists(st.integers(1, 60), min_size=LEVELS, max_size=LEVELS), min_size=1, max_size=14
)


def estimate(times: list[list[int]], once: float = 0, jobs: int = 1) -> Estimate:
    """An estimate in which half of each trial's seconds is its training."""
    costs = {f"t{i}": [Cost(x / 2, x / 2) for x in row] for i, row in enumerate(times)}
    return Estimate(costs, once, jobs)


@given(TIMES, st.integers(1, 900), st.sampled_from([1, 2, 4]))
def test_the_plan_is_that_of_the_slow_twin(times: list[list[int]], room: int, jobs: int) -> None:
    order = [f"t{i}" for i in range(len(times))]
    alone = [row for row in times if row[0] <= room]
    if not alone:
        with pytest.raises(BadInputError, match="too short for one trial"):
            planned(estimate(times, 7, jobs), [90, 30, 10], order, room + 7)
        return
    rungs, chosen, out = planned(estimate(times, 7, jobs), [90, 30, 10], order, room + 7)
    assert (len(chosen), rungs[0].level) == slow_plan(alone, LEVELS, room, jobs)
    fitting = [name for name in order if times[int(name[1:])][0] <= room]
    assert chosen == fitting[: len(chosen)]
    assert out.keys() == set(order) - set(chosen)
    assert {name for name, why in out.items() if why == "too_long"} == set(order) - set(fitting)
    assert rungs[-1].level == 0
    assert [rung.level for rung in rungs] == list(range(rungs[0].level, -1, -1))
    assert [rung.questions for rung in rungs] == [90, 30, 10][: len(rungs)][::-1]
    assert sum(rung.seconds for rung in rungs) <= room


@given(TIMES, st.integers(0, LEVELS - 1), st.sampled_from([1, 3]))
def test_the_time_of_a_search_is_that_of_the_slow_twin(
    times: list[list[int]], level: int, jobs: int
) -> None:
    found = estimate(times, jobs=jobs)
    assert found.search(list(found.costs), level) == pytest.approx(slow_search(times, level, jobs))


def test_halving_by_three() -> None:
    assert kept_counts(27) == [9, 3, 1]
    assert kept_counts(10) == [4, 2, 1]
    assert kept_counts(1) == []
    times = [[90, 30, 10]] * 27
    order = [f"t{i}" for i in range(27)]
    # 27·10 + 9·30 + 3·90 is what three rungs take; two take 27·30 + 9·90.
    rungs, _, out = planned(estimate(times), [900, 300, 100], order, 27 * 10 + 9 * 30 + 3 * 90)
    assert [(rung.trials, rung.questions) for rung in rungs] == [(27, 100), (9, 300), (3, 900)]
    assert not out
    rungs, _, _ = planned(estimate(times), [900, 300, 100], order, 27 * 30 + 9 * 90)
    assert [(rung.trials, rung.questions) for rung in rungs] == [(27, 300), (9, 900)]
    rungs, _, _ = planned(estimate(times), [900, 300, 100], order, 27 * 90)
    assert [(rung.trials, rung.questions) for rung in rungs] == [(27, 900)]


def test_a_refusal_says_how_many_minutes_it_needs() -> None:
    with pytest.raises(BadInputError, match=r"--budget 1 is too short .* about 5.1 minutes"):
        planned(estimate([[300], [240]], once=61), [9], ["t0", "t1"], 60)


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=12), st.integers(0, 300), st.integers(1, 4),
    st.data(),
)  # fmt: skip
def test_what_is_kept_fits_and_is_the_best(
    times: list[int], room: int, wanted: int, data: st.DataObject
) -> None:
    found = estimate([[time] for time in times])
    ranked = data.draw(st.permutations(list(found.costs)))
    even = set(data.draw(st.lists(st.sampled_from(ranked))))
    chosen = kept(ranked, even, wanted, found, 0, room)
    assert chosen
    assert ranked[: min(wanted, len(chosen))] == chosen[:wanted]
    assert set(chosen[wanted:]) <= even
    assert len(chosen) == 1 or len(chosen) == wanted or found.search(chosen, 0) <= room
    if len(chosen) >= wanted:
        # Nobody who is within noise is dropped while there is room.
        assert all(
            found.search([*chosen, name], 0) > room for name in even - {*chosen, *ranked[:wanted]}
        )


def test_slower_trials_than_expected_are_fewer() -> None:
    found = estimate([[100, 30]] * 9)
    names = list(found.costs)
    assert len(kept(names, set(), 3, found, 0, 300)) == 3
    slower = found.corrected(names, 1, Cost(2 * 9 * 15, 9 * 15))
    assert (slower.training, slower.other) == (2, 1)
    assert slower.of("t0", 0) == 150
    assert len(kept(names, set(), 3, slower, 0, 300)) == 2
    assert len(kept(names, set(), 3, slower, 0, 10)) == 1
    # A rung in which nothing was trained says nothing about training.
    assert found.corrected(names, 1, Cost(0, 9 * 15)).training == 1


@given(TIMES, st.integers(0, 900), st.integers(0, LEVELS - 1), st.data())
def test_as_many_trials_join_as_there_is_time_for(
    times: list[list[int]], room: int, level: int, data: st.DataObject
) -> None:
    found = estimate(times)
    names = list(found.costs)
    first = data.draw(st.integers(1, len(names)))
    added = more(found, names[:first], names[first:], level, room)
    assert added == names[first : first + len(added)]

    def seconds(count: int) -> float:
        ended = sum(row[level] for row in times[:first])
        return slow_search(times[: first + count], level) - ended

    # A single trial is not tried on a part; such a rung is not planned.
    if first > 1 or level == 0:
        fits = [seconds(count) <= room for count in range(1, len(names) - first + 1)]
        assert len(added) == (fits.index(False) if False in fits else len(fits))
