"""The figures of the page: which there are, and in which order."""

from __future__ import annotations

from stage2.report.pictures import pictures
from tests.comparisons import held_out_comparison
from tests.report.figures.views import row, view
from tests.report.folders import epoch

FULL = {
    "comparison": held_out_comparison(),
    "rows": [row(2, 1)],
    "scores": {"before": [(0.9, 0.1)], "after": [(0.9, 0.1)]},
    "log": [epoch(0, None, 0.35), epoch(1, 0.1, 0.5)],
}


def test_a_folder_of_all_steps_has_all_figures() -> None:
    assert [figure.name for figure in pictures(view(**FULL))] == [
        "bars", "ranks", "scores", "curves"
    ]  # fmt: skip


def test_what_a_folder_lacks_is_not_drawn() -> None:
    assert pictures(view()) == []
    assert [figure.name for figure in pictures(view(log=FULL["log"]))] == ["curves"]
