"""Two rankings of the same questions: metrics, intervals and tests, set by set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stage2.evaluation.ranking import TOPK, Ranked
from stage2.evaluation.statistics import interval_of, mcnemar, paired_differences, verdict_of
from stage2.evaluation.verdict import verdict
from stage2.utils.arrays import Ints


@dataclass(frozen=True)
class QuestionSet:
    """Questions that are measured together.

    Attributes:
        name: `test`, `dev`, `train`, `all` or `cross-validated`.
        rows: int64, rising.
        held_out: whether the model that is measured saw none of them, and nothing was chosen on
            them.
        seen: how many of them training saw.
        after: of another model than the one shipped, where it is another that is measured.
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
) -> dict[str, Any]:
    """The content of `comparison.json`.

    Recall@k is told of questions that were ranked over the whole corpus. Among the few candidates
    of a list it would say how many they are.

    Args:
        before: of the model as it came, by what the questions are ranked against.
        after: of the model shipped, on the same lists.
        sets: the questions to report on, in the order to report them in.
        groups: int64 (n,), equal for questions that share a chunk.
        seed: of the resampling.
        recall_at: each k of Recall@k.
    """
    parts = []
    for questions in sets:
        for source, old in before.items():
            new = (questions.after or after)[source]
            rows = questions.rows
            depths = recall_at if source == "corpus" else ()
            parts.append(
                {
                    "name": questions.name,
                    "held_out": questions.held_out,
                    "source": source,
                    "num_queries": len(rows),
                    "seen_in_training": questions.seen,
                    "before": old.metrics(rows, depths),
                    "after": new.metrics(rows, depths),
                    "statistics": statistics(old, new, rows, groups[rows], seed, depths),
                }
            )
    return {"sets": parts, "verdict": verdict(parts)}


def statistics(
    before: Ranked,
    after: Ranked,
    rows: Ints,
    groups: Ints,
    seed: int,
    recall_at: Sequence[int] = (),
) -> dict[str, Any]:
    """Intervals and tests of before and after on the same questions.

    Args:
        before: lists of the model as it came.
        after: the same lists, of the other model.
        rows: int64 (m,), m at least 1: which of the lists.
        groups: int64 (m,), equal for questions that are not independent.
        seed: of the resampling.
        recall_at: each k of Recall@k.
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
) -> list[dict[str, Any]]:
    """The rows of `per_question.jsonl`: each question's expected rank before and after.

    Args:
        before: of the model as it came, by what the questions are ranked against.
        after: of the model shipped, on the same lists.
        qa_ids: n ids.
        questions: their texts.
        sets: of which each question names the first that it is in; cross-validated ranks stand
            beside those of the shipped model.
        source: whose ranks `change` is told by.
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
    """What became of a question, by its rank before and after."""
    if (before <= 1) != (after <= 1):
        return "fixed" if after <= 1 else "broken"
    return "better" if after < before else "worse" if after > before else "same"
