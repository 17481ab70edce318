"""Samples with negatives that are wrong in some way."""

from __future__ import annotations

from typing import Any

TRUTH = (
    "The Count of Monte Cristo sailed from Marseilles to Elba with a letter for the marshal, "
    "and came back rich: he had found the treasure that an abbot told him of in prison."
)


NEARLY = TRUTH.replace("letter", "parcel")


OTHERS = ("A lantern in the night.", "The key to the stone door.", "A merchant with a diamond.")


def sample(negatives: list[tuple[str, str]], **changes: Any) -> dict[str, Any]:
    return {
        "question": "Where did he sail?",
        "ground_truth_contexts": [TRUTH],
        "negative_contexts": [text for _, text in negatives],
        "qa_id": "q0",
        "gt_chunk_id": "c0",
        "gt_chunk_ids": ["c0"],
        "negative_chunk_ids": [name for name, _ in negatives],
        "answer": "Elba",
    } | changes


def plain(count: int) -> list[tuple[str, str]]:
    return [(f"n{i}", OTHERS[i]) for i in range(count)]
