"""The JSONL from which Tevatron trains: passages with ids and titles.

A title stands in the text that was ranked, before it. So it is empty here, and a passage has the
text that the model read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stage2.data.mined import Mined, Passage


def rows(questions: list[Mined]) -> Iterator[dict[str, Any]]:
    """Yield a row for each question."""
    for one in questions:
        yield {
            "query_id": one.qa_id,
            "query": one.question,
            "positive_passages": list(map(_passage, one.positives)),
            "negative_passages": list(map(_passage, one.negatives)),
        }


def _passage(passage: Passage) -> dict[str, str]:
    return {"docid": passage.chunk_id, "title": "", "text": passage.text}
