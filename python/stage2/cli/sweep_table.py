"""The table that a sweep ends with: a row for each trial, the best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stage2.cli.sweep_trials import Outcome
from stage2.report.columns import aligned
from stage2.report.words import Words, words

_HEADERS = {
    "en": ("trial", "hard", "shipped", "dev Top-1", "dev MRR", "95% interval", "seconds"),
    "zh": ("试验", "难例", "交付", "dev Top-1", "dev MRR", "95% 区间", "秒"),
}
_OF_RUNGS = {"en": ("rung", "questions", "dropped"), "zh": ("级", "问题", "淘汰原因")}


def sweep_table(outcomes: Sequence[Outcome], language: str) -> str:
    """Return the trials as plain text in aligned columns, in the given order.

    If the sweep has rungs, there are columns for the last rung of each trial, for the number of
    training questions in it, and for the reason why it went no further.
    """
    say = words(language)
    rows = [_cells(outcome) for outcome in outcomes]
    header: tuple[str, ...] = _HEADERS[language]
    if any(outcome.rung is not None for outcome in outcomes):
        header += _OF_RUNGS[language]
        rows = [
            (*row, _shown(one.rung), _shown(one.questions), _reason(one.dropped, say))
            for row, one in zip(rows, outcomes, strict=True)
        ]
        return "\n".join(aligned([header, *rows], (0, 2, -1)))
    return "\n".join(aligned([header, *rows], (0, 2)))


def _cells(outcome: Outcome) -> tuple[str, ...]:
    interval = outcome.interval
    return (
        outcome.trial,
        _shown(outcome.hard),
        outcome.shipped["name"] if outcome.shipped else outcome.status,
        f"{outcome.dev['top1']:.1%}" if outcome.dev else "",
        f"{outcome.dev['mrr']:.4f}" if outcome.dev else "",
        "" if interval is None else f"{interval[0]:.3f}–{interval[1]:.3f}",
        "" if outcome.seconds is None else f"{outcome.seconds:.1f}",
    )


def _shown(value: int | None) -> str:
    return "" if value is None else str(value)


def _reason(dropped: Mapping[str, Any] | None, say: Words) -> str:
    if dropped is None:
        return ""
    values = {name: f"{value:+.4f}" for name, value in dropped.items() if name != "why"}
    return say(f"sweep_{dropped['why']}", **values)
