"""Ctrl-C and SIGTERM are held back once, and their handlers are restored."""

from __future__ import annotations

import signal
import threading

import pytest

from stage2.utils.signals import SIGNALS, asked_to_stop


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_is_noted_and_the_second_is_not_held_back(number: signal.Signals) -> None:
    before = {known: signal.getsignal(known) for known in SIGNALS}

    def twice() -> None:
        with asked_to_stop() as came:
            assert not came()
            signal.raise_signal(number)
            assert came()
            signal.raise_signal(number)

    with pytest.raises(KeyboardInterrupt):
        twice()
    assert {known: signal.getsignal(known) for known in SIGNALS} == before


def test_another_thread_takes_no_signals() -> None:
    before = {known: signal.getsignal(known) for known in SIGNALS}
    seen: list[bool] = []

    def work() -> None:
        with asked_to_stop() as came:
            seen.append(came())
            seen.append({known: signal.getsignal(known) for known in SIGNALS} == before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False, True]
