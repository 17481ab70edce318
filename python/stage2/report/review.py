"""The page on which people judge doubtful labels, as static HTML that loads nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from stage2.report.page import content_hash, environment, page_style, script_json, template
from stage2.report.page_words import REVIEW_WORDS
from stage2.utils import files


def write_review(path: Path, rows: Sequence[Mapping[str, Any]], count: int, language: str) -> None:
    """Write the page.

    Args:
        path: the file to write.
        rows: the pairs in the order in which they are judged, as `review.jsonl` has them.
        count: the number of all doubtful pairs, of which these are the first.
        language: `en` or `zh`.
    """
    files.write_text(path, render_review(rows, count, language))


def render_review(rows: Sequence[Mapping[str, Any]], count: int, language: str) -> str:
    """Return the HTML of the page. All texts are escaped; only the page's own script may run."""
    words = REVIEW_WORDS[language]
    pairs = [{**row, "reasons": [_reason(words, one) for one in row["reasons"]]} for row in rows]
    data = script_json({"pairs": pairs, "words": words})
    style, script = page_style() + template("review.css"), template("review.js")
    return (
        environment()
        .get_template("review.html")
        .render(
            w=words,
            language="zh-CN" if language == "zh" else "en",
            style=Markup(style),
            script=Markup(script),
            style_hash=content_hash(style),
            script_hash=content_hash(script),
            shown=len(rows),
            count=count,
            # Judgements are kept under this name: a page of other pairs does not find them. The
            # pairs alone count, so that their order and the language may change.
            key=_key(rows),
            data=data,
        )
    )


def _reason(words: Mapping[str, str], reason: Mapping[str, Any]) -> str:
    return words[reason["name"]].format_map(reason)


def _key(rows: Sequence[Mapping[str, Any]]) -> str:
    digest = hashlib.sha256()
    for one in sorted(f"{row['question_hash']} {row['chunk_id']}\n" for row in rows):
        digest.update(one.encode())
    return f"stage2-review-{digest.hexdigest()}"
