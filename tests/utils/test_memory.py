"""The memory that work may use."""

from __future__ import annotations

import os

import pytest

from stage2.utils.memory import default_budget


def test_it_is_a_quarter_of_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)
    assert default_budget() == 1_024_000
