"""Replace the forward pass of modules for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def swapped_forward(passes: Iterable[tuple[nn.Module, Callable[..., Any]]]) -> Iterator[None]:
    """Give each module another forward function inside the context, and restore its own after it.

    Args:
        passes: pairs of a module and its new forward function.
    """
    before = []
    try:
        for module, forward in passes:
            before.append((module, vars(module).get("forward")))
            # An attribute of the object hides the method of its class.
            vars(module)["forward"] = forward
        yield
    finally:
        for module, forward in reversed(before):
            if forward is None:
                del vars(module)["forward"]
            else:
                vars(module)["forward"] = forward
