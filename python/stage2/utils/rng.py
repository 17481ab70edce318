"""Save, restore and seed the states of torch's random generators, from which dropout draws."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def states(device: torch.device) -> list[Tensor]:
    """Return the state of the CPU's generator and, if the device has its own, that state too."""
    found = [torch.get_rng_state()]
    if device.type == "cuda":
        found.append(torch.cuda.get_rng_state(device))
    elif device.type == "mps":
        found.append(torch.mps.get_rng_state())
    return found


def restore(device: torch.device, found: list[Tensor]) -> None:
    """Restore what `states` returned.

    Without a state for the device its own generator keeps its present state.
    """
    torch.set_rng_state(found[0])
    if device.type == "cuda" and len(found) > 1:
        torch.cuda.set_rng_state(found[1], device)
    elif device.type == "mps" and len(found) > 1:
        torch.mps.set_rng_state(found[1])


@contextmanager
def seeded(device: torch.device, seed: int) -> Iterator[None]:
    """Seed the generators inside the context, and restore their states after it."""
    before = states(device)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        restore(device, before)
