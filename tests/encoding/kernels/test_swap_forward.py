"""Forward passes that are replaced for a while, also twice."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from stage2.encoding.kernels.swap_forward import swapped_forward


def test_modules_compute_what_they_are_given_and_then_what_they_did() -> None:
    first, second = nn.Identity(), nn.Identity()
    one = torch.ones(1)
    with swapped_forward([(first, lambda x: x + 1)]):
        assert first(one).item() == 2
        with swapped_forward(
            [(first, lambda x: x + 2), (second, lambda x: x + 3), (first, torch.neg)]
        ):
            assert (first(one).item(), second(one).item()) == (-1, 4)
        assert (first(one).item(), second(one).item()) == (2, 1)
    assert first(one).item() == 1
    assert "forward" not in vars(first)


def test_they_compute_what_they_did_after_an_error() -> None:
    module = nn.Identity()

    def fail() -> None:
        with swapped_forward([(module, torch.neg)]):
            raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        fail()

    def passes():  # type: ignore[no-untyped-def]
        yield module, torch.neg
        raise ValueError("no second")

    with pytest.raises(ValueError, match="no second"), swapped_forward(passes()):
        pass
    assert "forward" not in vars(module)
