"""The rows of a mined set in each format, written out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stage2.data.tables import Question

Rows = list[dict[str, Any]]


def pairs(questions: list[Question]) -> Rows:
    return [
        {"anchor": one.text, "positive": own.chunk.text}
        for one in questions
        for own in one.relevant
    ]


def triplets(questions: list[Question]) -> Rows:
    return [
        {"anchor": one.text, "positive": own.chunk.text, "negative": other.chunk.text}
        for one in questions
        for own in one.relevant
        for other in one.negatives
    ]


def n_tuples(questions: list[Question]) -> Rows:
    most = max([0, *(len(one.negatives) for one in questions)])
    rows = []
    for one in questions:
        if most == 0 or len(one.negatives) < most:
            continue
        for own in one.relevant:
            row = {"anchor": one.text, "positive": own.chunk.text}
            for place in range(most):
                row[f"negative_{place + 1}"] = one.negatives[place].chunk.text
            rows.append(row)
    return rows


def lists(name: str, value: str) -> Callable[[list[Question]], Rows]:
    def rows(questions: list[Question]) -> Rows:
        found = []
        for one in questions:
            all_of_it = [*one.relevant, *one.negatives]
            found.append({
                "query": one.text,
                "docs": [each.chunk.text for each in all_of_it],
                name: [getattr(each, value) for each in all_of_it],
            })  # fmt: skip
        return found

    return rows


def flag_embedding(questions: list[Question]) -> Rows:
    return [
        {
            "query": one.text,
            "pos": [own.chunk.text for own in one.relevant],
            "neg": [other.chunk.text for other in one.negatives],
            "pos_scores": [own.score for own in one.relevant],
            "neg_scores": [other.score for other in one.negatives],
        }
        for one in questions
    ]


def tevatron(questions: list[Question]) -> Rows:
    rows = []
    for one in questions:
        row: dict[str, Any] = {"query_id": one.id, "query": one.text}
        for name, found in (("positive", one.relevant), ("negative", one.negatives)):
            row[f"{name}_passages"] = [
                {"docid": each.chunk.id, "title": "", "text": each.chunk.text} for each in found
            ]
        rows.append(row | ({"answers": [one.answer]} if one.answer else {}))
    return rows


SHAPES = {
    "pairs": pairs,
    "triplets": triplets,
    "n-tuples": n_tuples,
    "labeled-lists": lists("labels", "grade"),
    "scored-lists": lists("scores", "score"),
    "flag-embedding": flag_embedding,
    "tevatron": tevatron,
}
