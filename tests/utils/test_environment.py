"""The descriptions of this process and its machine."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path

import pytest

from stage2.utils import environment


def test_a_process_is_known_by_its_command_and_not_by_its_arguments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/stage2", "train", "--data", "secret.jsonl"])
    found = environment.this_process()
    assert found["command"] == "stage2 train"
    assert found["process"] == os.getpid()
    assert datetime.fromisoformat(found["since"]).utcoffset() is not None


def test_all_attempts_of_a_launch_have_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert environment.launch() is None
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    found = environment.launch()
    assert found == environment.launch()
    assert found is not None
    assert str(os.getppid()) in found.split()


def test_another_parent_of_the_same_number_began_at_another_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """proc(5) counts fields from 1: the third is the state, the 22nd is the time of the start."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    fields = " ".join(map(str, range(4, 53)))
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: f"17 (a (b) c) S {fields}")
    found = environment.launch()
    assert found is not None
    assert found.split()[-2:] == [str(os.getppid()), "22"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("processor : 0\nmodel name\t: A CPU: 2 GHz\n", "A CPU: 2 GHz"), ("processor : 0\n", None)],
)
def test_the_processor_has_the_name_that_the_system_tells(
    text: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: text)
    monkeypatch.setattr("platform.processor", lambda: "an architecture")
    assert environment.cpu_name() == (expected or "an architecture")
