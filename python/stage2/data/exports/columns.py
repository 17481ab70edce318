"""The columns from which sentence-transformers trains, one function for each shape.

The names of columns do not count there, but for `label`, `labels`, `score` and `scores`, which are
what a loss compares with. Any other column is a text that a loss takes, in the order of the
columns. So there are no columns for ids. The shapes are those of `mine_hard_negatives`, and the
columns of lists have the names of the losses for cross-encoders.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stage2.data.mined import Mined


def pairs(questions: list[Mined]) -> Iterator[dict[str, Any]]:
    """Yield a row for each ground truth."""
    for one in questions:
        for positive in one.positives:
            yield {"anchor": one.question, "positive": positive.text}


def triplets(questions: list[Mined]) -> Iterator[dict[str, Any]]:
    """Yield a row for each ground truth with each negative."""
    for one in questions:
        for positive in one.positives:
            for negative in one.negatives:
                yield {
                    "anchor": one.question,
                    "positive": positive.text,
                    "negative": negative.text,
                }


def n_tuples(questions: list[Mined]) -> Iterator[dict[str, Any]]:
    """Yield a row for each ground truth of the questions that have the most negatives."""
    most = max((len(one.negatives) for one in questions), default=0)
    for one in questions:
        if len(one.negatives) != most or not most:
            continue
        negatives = {f"negative_{n}": text.text for n, text in enumerate(one.negatives, 1)}
        for positive in one.positives:
            yield {"anchor": one.question, "positive": positive.text, **negatives}


def labeled_lists(questions: list[Mined]) -> Iterator[dict[str, Any]]:
    """Yield a row for each question. A label is the grade, 0 for a negative."""
    for one in questions:
        docs = (*one.positives, *one.negatives)
        yield {
            "query": one.question,
            "docs": [doc.text for doc in docs],
            "labels": [doc.grade for doc in docs],
        }


def scored_lists(questions: list[Mined]) -> Iterator[dict[str, Any]]:
    """Yield a row for each question, with the scores of the model before training."""
    for one in questions:
        docs = (*one.positives, *one.negatives)
        yield {
            "query": one.question,
            "docs": [doc.text for doc in docs],
            "scores": [doc.score for doc in docs],
        }
