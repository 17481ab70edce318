"""The table of a sweep."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from stage2.cli.sweep_rungs import Reason
from stage2.cli.sweep_table import sweep_table
from stage2.cli.sweep_trials import Outcome
from stage2.report.words import CATALOGS

DEV: dict[str, Any] = {"mrr": 0.5, "top1": 0.25}
DONE = Outcome(
    "a=1", "trials/a=1", {"a": 1}, "done", None, 3, {"name": "epoch 2"}, DEV, (0.4, 0.6), 0.5, 2.0
)


def test_a_sweep_without_rungs_has_no_columns_for_them() -> None:
    failed = Outcome("a=2", "trials/a=2", {"a": 2}, "failed", "no memory")
    assert sweep_table([DONE, failed], "en").splitlines() == [
        "trial  hard  shipped  dev Top-1  dev MRR  95% interval  seconds",
        "a=1       3  epoch 2      25.0%   0.5000   0.400–0.600      2.0",
        "a=2          failed",
    ]


@pytest.mark.parametrize("language", CATALOGS)
@pytest.mark.parametrize("why", get_args(Reason))
def test_every_reason_has_its_words(language: str, why: str) -> None:
    dropped = {"why": why, "difference": -0.0123, "low": -0.02, "high": 0.001}
    one = Outcome("b", "trials/b", {}, "done", rung=1, questions=40, dropped=dropped)
    text = CATALOGS[language][f"sweep_{why}"]
    shown = text.format(difference="-0.0123", low="-0.0200", high="+0.0010")
    row = sweep_table([one], language).splitlines()[1]
    assert row.endswith(shown)
    assert " 40 " in row
