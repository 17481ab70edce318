"""The results of each question as rows of plain columns."""

from __future__ import annotations

from stage2.evaluation.compare import MEASURES
from stage2.evaluation.results import SCHEMA, result_rows


def test_a_row_for_each_source_and_system() -> None:
    measured = dict.fromkeys(MEASURES, 0.5)
    question = {
        "qa_id": "a",
        "question": "x?",
        "set": "test",
        "held_out": True,
        "ranks": {"candidates": {"before": 2.0}, "corpus": {"before": 3.5, "bm25": 1.0}},
        "metrics": {
            "candidates": {"before": measured},
            "corpus": {"before": measured, "bm25": measured},
        },
        "change": "same",
    }
    rows = list(result_rows([question]))
    assert [(row["source"], row["system"], row["rank"]) for row in rows] == [
        ("candidates", "before", 2.0), ("corpus", "before", 3.5), ("corpus", "bm25", 1.0)
    ]  # fmt: skip
    plain = ["schema", "qa_id", "question", "set", "held_out", "source", "system", "rank"]
    assert all(list(row) == [*plain, *MEASURES] for row in rows)
    assert {row["schema"] for row in rows} == {SCHEMA} == {"stage2.results/1"}
