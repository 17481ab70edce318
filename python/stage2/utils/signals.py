"""Ctrl-C and SIGTERM, held back until the program can stop safely."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StoppedError(KeyboardInterrupt):
    """A signal stopped the work. The message says how to continue it."""


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Hold signals back, and yield a function that returns whether one has come.

    A second signal raises KeyboardInterrupt, for users who do not want to wait. Outside the main
    thread, where Python cannot handle signals, nothing changes.
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
