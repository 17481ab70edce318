"""The results of each question as rows of plain columns, one schema for whoever reads them.

Version 1 has, in this order: `schema`, the name and version of this form; `qa_id` and `question`;
`set`, the first set of the report that the question is in, or null, and `held_out`, whether the
model was neither trained nor chosen on that set; `source`, `candidates` or `corpus`, what it was
ranked among; `system`, `before`, `after` or the name of a baseline; `rank`, the expected rank of
the best ground truth, from 1; `reciprocal_rank`, `average_precision`, `ndcg10`, `top1`, `top3` and
`top5`, expectations over all orders of equal scores. A column may be added in the same version. One
that is taken away or changes its meaning makes another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

SCHEMA = "stage2.results/1"


def result_rows(questions: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield a row for each question, source and system.

    Args:
        questions: the rows of `per_question.jsonl`.
    """
    for row in questions:
        for source, systems in row["ranks"].items():
            for system, rank in systems.items():
                yield {
                    "schema": SCHEMA,
                    "qa_id": row["qa_id"],
                    "question": row["question"],
                    "set": row["set"],
                    "held_out": row["held_out"],
                    "source": source,
                    "system": system,
                    "rank": rank,
                    **row["metrics"][source][system],
                }
