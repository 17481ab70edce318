"""The states of torch's generators, that dropout draws from: to be kept, and gone back to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def states(device: torch.device) -> list[Tensor]:
    """Of the CPU's generator and, where there is one, of the device's."""
    found = [torch.get_rng_state()]
    if device.type == "cuda":
        found.append(torch.cuda.get_rng_state(device))
    elif device.type == "mps":
        found.append(torch.mps.get_rng_state())
    return found


def restore(device: torch.device, found: list[Tensor]) -> None:
    """Go back to `states`; those of another kind of device leave this one's as it is."""
    torch.set_rng_state(found[0])
    if device.type == "cuda" and len(found) > 1:
        torch.cuda.set_rng_state(found[1], device)
    elif device.type == "mps" and len(found) > 1:
        torch.mps.set_rng_state(found[1])


@contextmanager
def seeded(device: torch.device, seed: int) -> Iterator[None]:
    """Draw from a seed of one's own; afterwards the generators go on as if nothing had been."""
    before = states(device)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        restore(device, before)
