"""The card of a model in another form: `README.md`, with what it loses. It is in English."""

from __future__ import annotations

from stage2.models.deviation import Deviation
from stage2.report import numbers
from stage2.report.markdown import escape, table
from stage2.variants import EXPORTS


def export_card(to: str, source: str, found: Deviation) -> str:
    """Write the card.

    Args:
        to: the format, a name in `variants.EXPORTS`.
        source: the name of the model that was written.
        found: what was measured.
    """
    bounds = EXPORTS[to].bounds
    assert bounds is not None
    before, after = found.mrr
    rows = [
        ["largest difference of a value", f"{found.difference:.1e}",
         f"at most {bounds.difference:g}"],
        ["rank correlation of scores (Spearman)", numbers.decimal(found.spearman),
         f"at least {bounds.spearman:g}"],
        ["questions with the same first document", numbers.percent(found.same_first), ""],
        ["MRR of the model", numbers.decimal(before), ""],
        ["MRR in this form", numbers.decimal(after), f"at most {bounds.mrr:g} less"],
    ]  # fmt: skip
    parts = [
        "---\nlibrary_name: sentence-transformers\npipeline_tag: sentence-similarity\n---",
        f"# An encoder for retrieval, as {to}",
        f"Made of {escape(source)}: {EXPORTS[to].text}.",
        "## What it loses",
        f"Both were run on {found.num_questions:,} questions and {found.num_documents:,} "
        f"documents: {escape(found.name)}.",
        table(["", "measured", "bound"], rows),
        EXPORTS[to].note,
    ]
    return "\n\n".join(filter(None, parts)) + "\n"
