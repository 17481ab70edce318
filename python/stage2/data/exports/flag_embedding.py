"""The JSONL from which FlagEmbedding trains: `query`, `pos`, `neg`, `pos_scores`, `neg_scores`.

The scores are what a model is taught by knowledge distillation there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stage2.data.mined import Mined


def rows(questions: list[Mined]) -> Iterator[dict[str, Any]]:
    """Yield a row for each question."""
    for one in questions:
        yield {
            "query": one.question,
            "pos": [passage.text for passage in one.positives],
            "neg": [passage.text for passage in one.negatives],
            "pos_scores": [passage.score for passage in one.positives],
            "neg_scores": [passage.score for passage in one.negatives],
        }
