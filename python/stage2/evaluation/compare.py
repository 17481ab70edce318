"""The comparison of two models on the same questions: metrics, intervals and tests for each set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from stage2.evaluation.ranking import TOPK, Ranked
from stage2.evaluation.statistics import interval_of, mcnemar, paired_differences, verdict_of
from stage2.evaluation.verdict import verdict
from stage2.utils.arrays import Ints


@dataclass(frozen=True)
class QuestionSet:
    """A set of questions that are measured together.

    Attributes:
        name: `test`, `dev`, `train`, `all` or `cross-validated`.
        rows: the rows of the questions, int64, rising.
        held_out: whether the measured model was neither trained nor chosen on these questions.
        seen: the number of these questions that were trained on.
        after: the ranks of the measured model, if it is not the shipped one; else None.
    """

    name: str
    rows: Ints
    held_out: bool
    seen: int = 0
    after: Mapping[str, Ranked] | None = None


def compare(
    before: Mapping[str, Ranked],
    after: Mapping[str, Ranked],
    sets: Sequence[QuestionSet],
    groups: Ints,
    seed: int,
    recall_at: Sequence[int] = (),
    baselines: Mapping[str, Ranked] = MappingProxyType({}),
) -> dict[str, Any]:
    """Compare two models, and return the content of `comparison.json`.

    Recall@k is computed only for ranks in the whole corpus. Among the few candidates of a list it
    would depend on their number. Baselines rank the whole corpus too. They are shown beside the
    models, and decide no verdict.

    Args:
        before: the ranks of the stage-1 model, by source (`candidates` or `corpus`).
        after: the ranks of the shipped model on the same lists.
        sets: the sets of questions, in the order of the report.
        groups: int64 (n,), equal for questions that share a chunk.
        seed: the seed of the resampling.
        recall_at: the values of k for Recall@k.
        baselines: by name, the ranks in the whole corpus that a baseline gives.
    """
    parts = []
    for questions in sets:
        for source, old in before.items():
            new = (questions.after or after)[source]
            rows = questions.rows
            depths = recall_at if source == "corpus" else ()
            part = {
                "name": questions.name,
                "held_out": questions.held_out,
                "source": source,
                "num_queries": len(rows),
                "seen_in_training": questions.seen,
                "before": old.metrics(rows, depths),
                "after": new.metrics(rows, depths),
                "statistics": statistics(old, new, rows, groups[rows], seed, depths),
            }
            if baselines and source == "corpus":
                part["baselines"] = {
                    name: _of_baseline(ranked, rows, depths) for name, ranked in baselines.items()
                }
            parts.append(part)
    return {"sets": parts, "verdict": verdict(parts)}


def _of_baseline(ranked: Ranked, rows: Ints, recall_at: Sequence[int]) -> dict[str, Any]:
    """Return the metrics of a baseline, with the interval of each Top-k."""
    metrics = ranked.metrics(rows, recall_at)
    intervals = {str(k): interval_of(metrics[f"top{k}"], len(rows)) for k in TOPK}
    return metrics | {"intervals": intervals}


def statistics(
    before: Ranked,
    after: Ranked,
    rows: Ints,
    groups: Ints,
    seed: int,
    recall_at: Sequence[int] = (),
) -> dict[str, Any]:
    """Compute the intervals and tests of two models on the same questions.

    Args:
        before: the ranks of the first model.
        after: the ranks of the second model on the same lists.
        rows: int64 (m,), the lists that count; m is at least 1.
        groups: int64 (m,), equal for questions that are not independent.
        seed: the seed of the resampling.
        recall_at: the values of k for Recall@k.

    Returns:
        A set's `statistics` in `comparison.json`.
    """
    old, new = before.ranking, after.ranking
    shares = before.metrics(rows), after.metrics(rows)
    measured = {
        "mrr": (old.reciprocal_rank[rows], new.reciprocal_rank[rows]),
        "ndcg10": (old.ndcg(10)[rows], new.ndcg(10)[rows]),
        **{f"recall{k}": (old.recall(k)[rows], new.recall(k)[rows]) for k in recall_at},
    }
    differences = paired_differences(
        np.stack([right - left for left, right in measured.values()]), groups, seed
    )
    success: dict[str, Any] = {}
    for k in TOPK:
        was, is_now = old.rank[rows] <= k, new.rank[rows] <= k
        fixed, broken = int((~was & is_now).sum()), int((was & ~is_now).sum())
        success[str(k)] = {
            "before": interval_of(shares[0][f"top{k}"], len(rows)),
            "after": interval_of(shares[1][f"top{k}"], len(rows)),
            "fixed": fixed,
            "broken": broken,
            "p": mcnemar(fixed, broken),
        }
    means = {
        name: {
            "before": float(left.mean()),
            "after": float(right.mean()),
            "difference": difference.mean,
            "low": difference.low,
            "high": difference.high,
            "p": difference.p,
        }
        for (name, (left, right)), difference in zip(measured.items(), differences, strict=True)
    }
    pairs = before.pairs(rows)
    compared = max(1, sum(pairs.values()))
    return {
        "success": success,
        **means,
        "groups": len(np.unique(groups)),
        "pairs": {name: count / compared for name, count in pairs.items()},
        "verdict": verdict_of(differences[0]),
    }


def per_question(
    before: Mapping[str, Ranked],
    after: Mapping[str, Ranked],
    qa_ids: Sequence[str],
    questions: Sequence[str],
    sets: Sequence[QuestionSet],
    source: str,
    baselines: Mapping[str, Ranked] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Return the rows of `per_question.jsonl`: each question's expected rank before and after.

    Args:
        before: the ranks of the stage-1 model, by source.
        after: the ranks of the shipped model on the same lists.
        qa_ids: the ids of n questions.
        questions: the texts of the questions.
        sets: the sets of questions. A question gets the name of the first set that it is in.
            Cross-validated ranks stand beside those of the shipped model.
        source: the source whose ranks decide `change`.
        baselines: by name, the ranks in the whole corpus that a baseline gives. They stand beside
            those of the models.
    """
    rows: list[dict[str, Any]] = [
        {"qa_id": qa_id, "question": text, "set": None, "held_out": False}
        for qa_id, text in zip(qa_ids, questions, strict=True)
    ]
    for part in sets:
        if part.after is not None:
            continue
        for row in part.rows:
            if rows[row]["set"] is None:
                rows[row] |= {"set": part.name, "held_out": part.held_out}
    for row, entry in enumerate(rows):
        entry["ranks"] = _ranks(before, after, row)
        was, is_now = (entry["ranks"][source][side] for side in ("before", "after"))
        entry["change"] = _change(was, is_now)
        for name, ranked in baselines.items():
            entry["ranks"]["corpus"][name] = float(ranked.ranking.rank[row])
    for part in sets:
        if part.after is not None:
            for row in part.rows:
                rows[row][part.name.replace("-", "_")] = _ranks(before, part.after, int(row))
    return rows


def _ranks(
    before: Mapping[str, Ranked], after: Mapping[str, Ranked], row: int
) -> dict[str, dict[str, float]]:
    return {
        source: {
            "before": float(before[source].ranking.rank[row]),
            "after": float(after[source].ranking.rank[row]),
        }
        for source in before
    }


def _change(before: float, after: float) -> str:
    """Name the change of a question's rank: `fixed`, `broken`, `better`, `worse` or `same`."""
    if (before <= 1) != (after <= 1):
        return "fixed" if after <= 1 else "broken"
    return "better" if after < before else "worse" if after > before else "same"
