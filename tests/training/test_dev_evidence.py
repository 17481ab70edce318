"""What chance may do is no evidence, and labels at chance say nothing."""

from __future__ import annotations

import numpy as np
import pytest

from stage2.training.dev_evidence import by_chance, says_nothing, undecided

BEFORE = np.array([1.0, 1.0, 0.5, 1.0, 0.25, 1.0, 1.0, 1.0, 0.5, 1.0] * 20)
# Two questions lost half a point and one of them gained it again: a loss of 0.0025.
CLOSE = np.concatenate([[0.5, 0.5, 1.0], BEFORE[3:]])

CHANCE = 0.025
# Ranks drawn among 240 chunks: what labels give that do not fit their questions.
RANDOM = 1 / np.random.default_rng(0).integers(1, 241, 190)


def test_a_clear_loss_is_never_chosen() -> None:
    assert undecided(CLOSE, BEFORE) is not None
    assert undecided(BEFORE, BEFORE) == 0
    # A loss of 1.6 standard errors may be chance, one of 1.7 is not: 0.0032 and 0.0034.
    change = np.tile([0.02, -0.02], 50)
    error = change.std(ddof=1) / 10
    assert undecided(change - 1.6 * error, np.zeros(100)) == pytest.approx(error)
    assert undecided(change - 1.7 * error, np.zeros(100)) is None
    # Every question loses a little, so the loss is certain.
    assert undecided(BEFORE - 0.005, BEFORE) is None
    # The same loss of two questions in ten is uncertain, but too large.
    few = slice(0, 10)
    assert undecided(CLOSE[few], BEFORE[few]) is None
    assert undecided(CLOSE[:1], BEFORE[:1]) is None


def test_few_questions_may_differ_by_chance_alone() -> None:
    after, before = np.array([0.5, 1.0, 1.0]), np.array([1.0, 0.9, 1.0])
    error = float((after - before).std(ddof=1) / 3**0.5)
    assert by_chance(after, before) == pytest.approx(error)
    assert undecided(after, before) is None
    assert by_chance(np.full(9, 0.5), np.full(9, 0.6)) is None


def test_labels_that_do_not_fit_say_nothing() -> None:
    other = 1 / np.random.default_rng(1).integers(1, 241, 190)
    for after, before in ((RANDOM, RANDOM), (RANDOM, other), (other, RANDOM)):
        assert says_nothing(after, before, CHANCE)
    # Fewer questions cannot tell; a better model or a training that helps says something.
    assert not says_nothing(RANDOM[:19], RANDOM[:19], CHANCE)
    assert not says_nothing(BEFORE, BEFORE, CHANCE)
    # Among six candidates a random order has 0.408; what is above it is no chance.
    above = np.tile([1.0, 0.5, 0.5, 1 / 3, 0.5], 20)
    assert not says_nothing(above, above, 0.408)
    assert says_nothing(above - 0.16, above - 0.16, 0.408)
    assert not says_nothing(np.where(np.arange(190) < 20, 0.5, RANDOM), RANDOM, CHANCE)
