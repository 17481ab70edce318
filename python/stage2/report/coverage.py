"""The table of `stage2 annotate --stats`: what a gazetteer or a pipeline covers."""

from __future__ import annotations

from stage2.data.annotate import Coverage
from stage2.report.columns import aligned
from stage2.report.numbers import counted
from stage2.utils.errors import one_line

# The number of names that are shown.
_SHOWN = 10


def coverage_table(found: Coverage) -> str:
    """Return the counts as plain text in aligned columns."""
    rows = [["texts", "with an entity"]]
    for kind, (number, total) in found.with_entity.items():
        rows.append([kind, counted(number / total, total) if total else "0"])
    blocks = [aligned(rows, (0,))]
    if found.never_met is not None:
        met = found.known - len(found.never_met)
        names = [one_line(name) for name in found.never_met[:_SHOWN]]
        more = len(found.never_met) - len(names)
        listed = "; ".join(names) + (f"; and {more:,} more" if more else "")
        blocks.append(
            [f"names met: {counted(met / found.known, found.known)}"]
            + ([f"never met: {listed}"] if names else [])
        )
    if found.names:
        shown = [[one_line(name), f"{count:,}"] for name, count in found.names[:_SHOWN]]
        blocks.append(aligned([["most frequent", "entities"], *shown], (0,)))
    if any(label for label, _, _ in found.labels):
        shown = [
            [one_line(label) or "(none)", f"{entities:,}", f"{texts:,}"]
            for label, entities, texts in found.labels
        ]
        blocks.append(aligned([["label", "entities", "texts"], *shown], (0,)))
    return "\n\n".join("\n".join(block) for block in blocks)
