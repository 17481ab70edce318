"""The states of torch's generators are saved and restored."""

from __future__ import annotations

import pytest
import torch

from stage2.utils.rng import restore, seeded, states

CPU = torch.device("cpu")


def test_draws_of_a_seed_leave_no_trace() -> None:
    before = states(CPU)
    expected = torch.rand(3)
    restore(CPU, before)
    drawn = []
    for _ in range(2):
        with seeded(CPU, 7):
            drawn.append(torch.rand(3))
    assert torch.equal(*drawn)
    assert not torch.equal(drawn[0], expected)
    assert torch.equal(torch.rand(3), expected)


def test_they_go_on_as_before_after_an_error() -> None:
    before = torch.get_rng_state()

    def fail() -> None:
        with seeded(CPU, 7):
            raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        fail()
    assert torch.equal(torch.get_rng_state(), before)
