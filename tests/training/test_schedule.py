"""The learning rate of every update."""

from __future__ import annotations

import pytest
import torch
from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

from stage2.config import Settings
from stage2.training.schedule import learning_rate, updates_an_epoch


@pytest.mark.parametrize(("questions", "wanted"), [(1, 1), (16, 1), (17, 2), (33, 3)])
def test_the_last_update_of_an_epoch_may_have_fewer_questions(questions: int, wanted: int) -> None:
    assert updates_an_epoch(questions, Settings(batch_size=8, accumulate=2)) == wanted


def rates(updates: int, settings: Settings) -> list[float]:
    return [learning_rate(update, updates, settings) for update in range(updates)]


def test_it_rises_in_equal_steps_and_stays() -> None:
    settings = Settings(learning_rate=0.4, warmup=0.4, schedule="constant")
    assert rates(10, settings) == pytest.approx([0.1, 0.2, 0.3, 0.4] + [0.4] * 6)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_it_falls_as_that_of_transformers(schedule: str) -> None:
    """They are equal without warmup. With it, theirs starts with a wasted update at 0."""
    settings = Settings(learning_rate=0.5, warmup=0.0, schedule=schedule)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    make = {"linear": get_linear_schedule_with_warmup, "cosine": get_cosine_schedule_with_warmup}
    theirs = make[schedule](optimizer, 0, 9)
    for rate in rates(9, settings):
        assert rate == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    assert learning_rate(9, 9, settings) == pytest.approx(0)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_a_warm_up_of_all_updates_ends_at_the_top(schedule: str) -> None:
    settings = Settings(learning_rate=1.0, warmup=1.0, schedule=schedule)
    assert rates(3, settings) == pytest.approx([1 / 3, 2 / 3, 1])
    assert rates(1, settings) == [1.0]
