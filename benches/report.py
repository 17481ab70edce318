"""Tables of the findings, and RESULTS.md."""

from __future__ import annotations

import datetime
import re
import statistics
from collections.abc import Sequence

from benches import machine
from benches.harness import Details, Finding, Limit, Ratio, seconds

Rows = Sequence[Sequence[str]]


def table(header: Sequence[str], rows: Rows) -> str:
    """Write a Markdown table with aligned columns."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    return "\n".join(map(line, (header, ["-" * width for width in widths], *rows)))


def verdict(value: float, target: float | None, at_least: bool = True) -> str:
    """Say whether a target is met, or by how much it is missed."""
    if target is None:
        return "–"
    share = value / target if at_least else target / value
    return "met" if share >= 1 else f"short by {1 - share:.0%}"


def times(value: float) -> str:
    """Write a ratio with three digits."""
    return f"{value:.3g}×" if value < 100 else f"{value:,.0f}×"


def news(found: Finding) -> list[str]:
    """Return lines about a finding, to be read while the other jobs run."""
    match found:
        case Ratio(claim, _, best):
            judged = verdict(found.value, claim.target)
            return [f"  {claim.job}: {times(found.value)} as fast as {best.name}, {judged}"]
        case Limit(what, measured, value, limit):
            judged = verdict(value, limit, at_least=False)
            return [f"  {what}: {value:,.4g}, {judged} ({measured})"]
    return []


def ratios(findings: Sequence[Finding]) -> str:
    """Write the table of claims."""
    rows = [
        (
            found.claim.job,
            seconds(found.ours.median),
            f"{found.best.name} {seconds(found.best.median)}",
            times(found.value),
            "–" if found.claim.target is None else f"{found.claim.target:,.4g}×",
            verdict(found.value, found.claim.target),
        )
        for found in findings
        if isinstance(found, Ratio)
    ]
    return table(("job", "stage2", "best peer", "ratio", "target", "verdict"), rows)


def limits(findings: Sequence[Finding]) -> str:
    """Write the table of numbers that have a limit."""
    rows = [
        (
            found.what,
            found.measured,
            f"{found.value:,.4g}",
            f"{found.limit:,.4g}",
            verdict(found.value, found.limit, at_least=False),
        )
        for found in findings
        if isinstance(found, Limit)
    ]
    return table(("what", "measured", "value", "at most", "verdict"), rows)


def details(findings: Sequence[Finding]) -> str:
    """Write the table of all sides of all races."""
    rows = [
        (
            found.race,
            side.name + (f" (× {side.scale:,g})" if side.scale != 1 else ""),
            seconds(side.median),
            seconds(min(side.wall) * side.scale),
            seconds(statistics.median(side.cpu) * side.scale),
            str(len(side.wall)),
        )
        for found in findings
        if isinstance(found, Details)
        for side in found.timings
    ]
    return table(("race", "side", "median", "fastest", "processor time", "runs"), rows)


TARGETS = {"cpu": "make bench", "cuda": "make bench-gpu"}


def replaced(before: str, part: str) -> str:
    """Replace the part of one kind of machine in RESULTS.md. The new part comes first."""
    heading = part.partition("\n")[0]
    others = re.split(r"(?m)^(?=# )", before)
    kept = (text.strip() + "\n" for text in others if text.partition("\n")[0] != heading)
    return "\n".join(text for text in (part, *kept) if text.strip())


def document(
    findings: Sequence[Finding],
    facts: Sequence[tuple[str, str]],
    quick: bool,
    device: str = "cpu",
) -> str:
    """Write the part of RESULTS.md for this kind of machine."""
    parts = [
        f"# Benchmarks on {machine.name(facts)}",
        f"Written by `{TARGETS[device]}`. A ratio is the best peer's median time over stage2's: "
        "same process, same input, same threads, runs in turn, answers compared first. Files are "
        "in the system's cache for all. A time marked (× n) is that of a part, scaled.",
    ]
    if quick:
        parts.append("QUICK: smaller inputs. The targets are meant for the full sizes.")
    if any(isinstance(found, Ratio) for found in findings):
        parts += ["## Ratios", ratios(findings)]
    if any(isinstance(found, Limit) for found in findings):
        parts += ["## Growth and memory", limits(findings)]
    if any(isinstance(found, Details) for found in findings):
        parts += ["## Every side", details(findings)]
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    parts += [
        "## Machine and versions",
        table(("", ""), [("date", today), *facts]),
        table(("package", "version"), machine.versions(device)),
    ]
    return "\n\n".join(parts) + "\n"
