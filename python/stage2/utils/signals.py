"""Ctrl-C and SIGTERM, taken where it suits."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StoppedError(KeyboardInterrupt):
    """The work was stopped from outside; the message says how to go on with it."""


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Hold signals back; yields whether one has come.

    A second one is not held back: whoever does not want to wait need not. Outside the main thread,
    where Python takes no signals, they do what they did before.
    """
    came = False

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal came
        if came:
            raise KeyboardInterrupt
        came = True

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield lambda: came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
