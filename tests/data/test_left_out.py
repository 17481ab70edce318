"""Rows that were left out are counted by their reasons, as those of the core are."""

from __future__ import annotations

from stage2.data.left_out import Findings, LeftOut


def test_reasons_are_counted() -> None:
    rows = [LeftOut("f", line, 1, reason, "m", "{}") for line, reason in enumerate("aba", 1)]
    assert Findings(tuple(rows)).counts == {"a": 2, "b": 1}
    assert not Findings().counts
