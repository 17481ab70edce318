"""The power of a number of questions, by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from stage2.evaluation import power as module
from stage2.evaluation.power import POWER, Design, power
from stage2.evaluation.statistics import paired_differences, verdict_of


def design(
    count: int, size: int = 1, share: float = 1.0, held_out: list[int] | None = None
) -> Design:
    """Half of the questions are first, half are second or lower; groups have `size` questions."""
    ranks = np.where(np.arange(count) % 2, 1.0, 0.25)
    rows = None if held_out is None else np.asarray(held_out)
    return Design(ranks, ranks < 1, np.arange(count) // size, share, rows)


def found(one: Design, gain: float = 0.02) -> dict[str, object]:
    return power(one, gain, gain, lambda asked: asked / one.share, 0)


def test_a_power_is_that_of_the_slow_simulation() -> None:
    one = design(60, size=2, share=0.5)
    sides = module._draw(one, one.asked, 0, repeats=False)
    strength = 0.4
    slow = 0
    for rows, units, wins, losses in zip(
        sides.rows, sides.units, sides.wins, sides.losses, strict=True
    ):
        assert len({*rows.tolist()}) == len(rows) == 30
        # Whole groups are drawn.
        assert {row ^ 1 for row in rows.tolist()} == {*rows.tolist()}
        changes = []
        for row, win, loss in zip(rows.tolist(), wins, losses, strict=True):
            rank = 1.0 if row % 2 else 0.25
            change = 1 - rank if row % 2 == 0 and win < strength else 0.0
            if loss < strength * 0.5 / 3:
                change -= rank / 2
            changes.append(change)
        (difference,) = paired_differences([changes], units, 0)
        slow += verdict_of(difference) == "better"
    # The two draw other swaps, of which single verdicts near 5% depend.
    assert abs(module._power(one, sides, strength, 0) - slow / len(sides.rows)) <= 0.03


def test_the_expected_gain_grows_with_the_strength() -> None:
    one = design(4000)
    sides = module._draw(one, one.asked, 0, repeats=False)
    strength = 0.5
    gains = []
    for rows, wins, losses in zip(sides.rows, sides.wins, sides.losses, strict=True):
        ranks = one.reciprocal_ranks[rows]
        won, lost = one.reach[rows] & (wins < strength), losses < strength * 0.5 / 3
        gains.append(np.mean(won * (1 - ranks) - lost * ranks / 2))
    np.testing.assert_allclose(np.mean(gains), strength * one.slope, atol=1e-3)


def test_more_questions_show_smaller_gains() -> None:
    smallest = [found(design(count))["smallest_gain"] for count in (40, 160, 640)]
    assert all(isinstance(one, float) for one in smallest)
    few, some, many = smallest
    # About as many questions must change, whatever their share.
    assert 2.5 < few / some < 6  # type: ignore[operator]
    assert 2.5 < some / many < 6  # type: ignore[operator]


def test_groups_say_less_than_as_many_questions() -> None:
    alone, together = (found(design(400, size))["smallest_gain"] for size in (1, 20))
    assert together > alone  # type: ignore[operator]


def test_what_is_told_to_be_collected_suffices() -> None:
    one = found(design(60, share=0.5), 0.06)
    more = one["gain"]["more_questions"]  # type: ignore[index]
    assert isinstance(more, int)
    assert more > 0
    enough = found(design(60 + more, share=0.5), 0.06)
    assert enough["gain"]["power"] >= POWER - 0.1  # type: ignore[index]
    assert found(design(2000))["gain"]["more_questions"] == 0  # type: ignore[index]


def test_a_given_side_is_the_one_that_measures() -> None:
    one = found(design(200, share=0.1, held_out=list(range(20))))
    assert one["held_out"] == 20
    assert one["groups"] == 20
    assert one["smallest_gain"] > found(design(200))["smallest_gain"]  # type: ignore[operator]


@pytest.mark.parametrize("ranks", [[1.0] * 30, [0.001] * 30])
def test_where_nothing_can_be_gained(ranks: list[float]) -> None:
    values = np.asarray(ranks)
    one = Design(values, np.zeros(30, np.bool_), np.arange(30), 1.0)
    assert found(one) == {
        "held_out": 30, "groups": 30.0, "possible": 0.0, "smallest_gain": None,
        "gain": {"gain": 0.02, "power": None, "more_questions": None},
        "target": {"gain": 0.02, "power": None, "more_questions": None},
    }  # fmt: skip


def test_equal_seeds_give_equal_results() -> None:
    assert found(design(50)) == found(design(50))


def test_numbers_are_rounded_up_to_two_digits() -> None:
    assert [module._rounded_up(x) for x in (0.2, 7, 99.1, 101, 1234)] == [1, 7, 100, 110, 1300]
