"""Dropout with random bits drawn in bulk equals dropout of one element at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import stage2
from stage2.encoding.kernels.dropout import dropout, in_bulk

DTYPES = [torch.float32, torch.bfloat16, torch.float16]
CPU = torch.device("cpu")


class OnCpu(nn.Module):
    """A model with the parts that `in_bulk` uses."""

    def __init__(self, p: float = 0.1) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Dropout(p), nn.Identity())


def kept_one_by_one(count: int, p: float, seed: int) -> list[bool]:
    """Return 16 bits for each element as signed integers, the lowest bits of a number first."""
    raw = np.random.SFC64(seed).random_raw(count // 4 + 1).tolist()
    bits = [(number >> (16 * place)) & 0xFFFF for number in raw for place in range(4)]
    signed = [value - 0x10000 if value >= 0x8000 else value for value in bits]
    return [value >= round(p * 65536) - 0x8000 for value in signed[:count]]


@given(
    shape=st.lists(st.integers(0, 9), min_size=1, max_size=4),
    p=st.floats(0.001, 0.999),
    seed=st.integers(0, 2**63 - 1),
    dtype=st.sampled_from(DTYPES),
)
def test_each_element_is_dropped_or_scaled(
    shape: list[int], p: float, seed: int, dtype: torch.dtype
) -> None:
    values = torch.arange(1.0, 1 + np.prod(shape)).view(shape).to(dtype).requires_grad_()
    with in_bulk(OnCpu(), CPU, seed):
        found = dropout(values, p, training=True)
    scale = torch.tensor(65536 / (65536 - round(p * 65536)), dtype=dtype)
    right = kept_one_by_one(values.numel(), p, seed)
    kept = torch.tensor(right, dtype=torch.bool).view(shape)
    expected = values * torch.where(kept, scale, torch.zeros((), dtype=dtype))
    assert found.dtype == dtype
    assert torch.equal(found, expected)
    found.sum().backward()
    assert torch.equal(values.grad, torch.where(kept, scale, torch.zeros((), dtype=dtype)))


def test_as_many_are_dropped_as_is_asked_for() -> None:
    ones = torch.ones(1_000_000)
    with in_bulk(OnCpu(), CPU, 5):
        first, second = (dropout(ones, 0.1, training=True) for _ in range(2))
    for found in (first, second):
        # The bounds are five standard deviations: of a share, and of a mean of 0 and 1/0.9.
        assert abs(float((found == 0).float().mean()) - 0.1) < 5 * (0.09 / 1e6) ** 0.5
        assert abs(float(found.double().mean()) - 1) < 5 * (0.1 / 0.9 / 1e6) ** 0.5
    both = float(((first == 0) & (second == 0)).float().mean())
    assert abs(both - 0.01) < 5 * (0.0099 / 1e6) ** 0.5, "the two draws go together"


@pytest.mark.parametrize("p", [0.0, 1e-9, 1.0])
def test_none_and_all(p: float) -> None:
    ones = torch.ones(8)
    with in_bulk(OnCpu(), CPU, 0):
        assert torch.equal(dropout(ones, p, training=True), ones * (p < 1))
        assert dropout(ones, 0.5, training=False) is ones


def test_outside_it_is_that_of_torch() -> None:
    ones = torch.ones(100)
    torch.manual_seed(3)
    found = dropout(ones, 0.5, training=True)
    torch.manual_seed(3)
    assert torch.equal(found, nn.functional.dropout(ones, 0.5, training=True))


def test_modules_draw_by_it_and_are_left_as_they_were() -> None:
    model, ones = OnCpu(), torch.ones(1000)

    def fail() -> None:
        with in_bulk(model, CPU, 1):
            right = dropout(ones, 0.1, training=True)
            with in_bulk(model, CPU, 1):
                assert torch.equal(model.inner(ones), right)
            raise KeyError

    with in_bulk(model, CPU, 1):
        first, second = (model.inner(ones) for _ in range(2))
    with in_bulk(model, CPU, 1):
        assert torch.equal(model.inner(ones), first)
        with pytest.raises(KeyError):
            fail()
        assert torch.equal(model.inner(ones), second), "what is within ended what is around it"
    assert "forward" not in vars(model.inner[0])
    torch.manual_seed(3)
    found = model.inner(ones)
    torch.manual_seed(3)
    assert torch.equal(found, nn.functional.dropout(ones, 0.1, training=True))


def test_a_model_in_training_draws_all_of_its_dropout_by_it(
    model: stage2.ProbabilisticGBERTV4, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without padding torch draws no dropout at all, not even that of attention."""
    from stage2.encoding.kernels import unpadded
    from stage2.encoding.tokens import collate, tokenize

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("drawn by torch")

    tokens = tokenize(model, ["count monte cristo", "elba"], [(), ()])
    batch = collate(model.train(), tokens, np.arange(2))
    monkeypatch.setattr(nn.functional, "dropout", refuse)
    found = []
    for seed in (1, 1, 2):
        with in_bulk(model, CPU, seed), unpadded.end_to_end(model):
            found.append(model(batch).mu)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    with pytest.raises(AssertionError, match="drawn by torch"), unpadded.end_to_end(model):
        model(batch)
