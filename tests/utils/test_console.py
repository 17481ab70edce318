"""Messages are one line on stderr, results go to stdout, and bars are for terminals."""

from __future__ import annotations

import pytest

from stage2.utils import console


def test_messages_and_results_go_their_own_ways(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("two\nlines")
    console.say_above("above")
    console.warn("look \u202eout")
    console.result("the\ntable")
    written = capsys.readouterr()
    assert written.out == "the\ntable\n"
    first, second, third = written.err.splitlines()
    assert (first, second) == ("two\\nlines", "above")
    assert third.startswith("warning: look ")
    assert "\u202e" not in third


def test_no_bar_is_shown_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with console.bar("embedding") as update:
        update(1, 2, 10)
        update(2, 2)
    with console.steps() as told:
        told("epoch 1", 1, 2, 8)
        told("epoch 1", 2, 2, 8)
        told("epoch 2", 1, 2, 8)
    assert capsys.readouterr() == ("", "")
