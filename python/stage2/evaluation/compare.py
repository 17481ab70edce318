"""The comparison of two models on the same questions: metrics, intervals and tests for each set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from stage2._core import Ranking
from stage2.evaluation.baselines import Baseline
from stage2.evaluation.ranking import TOPK, Ranked
from stage2.evaluation.statistics import (
    interval_of,
    mcnemar,
    mean_intervals,
    paired_differences,
    verdict_of,
)
from stage2.evaluation.verdict import verdict
from stage2.utils.arrays import Ints, Mask


@dataclass(frozen=True)
class QuestionSet:
    """A set of questions that are measured together.

    Attributes:
        name: `test`, `dev`, `train`, `all` or `cross-validated`.
        rows: the rows of the questions, int64, rising.
        held_out: whether the measured model was neither trained nor chosen on these questions.
        seen: the number of these questions that were trained on.
        after: the ranks of the measured model, if it is not the shipped one; else None.
        aside: bool (g,), the ground truths of all questions that are left out of the rankings,
            because training saw them; None if there are none.
        left_out: how many ground truths were seen, and how many questions have no other and are
            not in the set; {} if there are none.
    """

    name: str
    rows: Ints
    held_out: bool
    seen: int = 0
    after: Mapping[str, Ranked] | None = None
    aside: Mask | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)

    def measured(self, ranked: Mapping[str, Ranked]) -> dict[str, Ranked]:
        """Return rankings without what is left out, the same for models and baselines."""
        return {name: one.without(self.aside) for name, one in ranked.items()}


def compare(
    before: Mapping[str, Ranked],
    after: Mapping[str, Ranked],
    sets: Sequence[QuestionSet],
    groups: Ints,
    seed: int,
    recall_at: Sequence[int] = (),
    baselines: Mapping[str, Baseline] = MappingProxyType({}),
) -> dict[str, Any]:
    """Compare two models, and return the content of `comparison.json`.

    Recall@k is computed only for ranks in the whole corpus. Among the few candidates of a list it
    would depend on their number. Baselines rank the whole corpus too. They are shown beside the
    models. One that is a model has statistics against the shipped model, and the verdict may be
    against it.

    Args:
        before: the ranks of the stage-1 model, by source (`candidates` or `corpus`).
        after: the ranks of the shipped model on the same lists.
        sets: the sets of questions, in the order of the report.
        groups: int64 (n,), equal for questions that share a chunk.
        seed: the seed of the resampling.
        recall_at: the values of k for Recall@k.
        baselines: by name, what a baseline gives.
    """
    parts = []
    for questions in sets:
        models = questions.measured(before), questions.measured(questions.after or after)
        beside = {name: one.without(questions.aside) for name, one in baselines.items()}
        for source, old in models[0].items():
            new = models[1][source]
            rows = questions.rows
            depths = recall_at if source == "corpus" else ()
            part = {
                "name": questions.name,
                "held_out": questions.held_out,
                "source": source,
                "num_queries": len(rows),
                "seen_in_training": questions.seen,
                **({"left_out": dict(questions.left_out)} if questions.left_out else {}),
                "before": old.metrics(rows, depths),
                "after": new.metrics(rows, depths),
                "statistics": statistics(old, new, rows, groups[rows], seed, depths),
            }
            if beside and source == "corpus":
                part["baselines"] = {
                    name: _of_baseline(one, new, rows, groups[rows], seed, depths)
                    for name, one in beside.items()
                }
            parts.append(part)
    return {"sets": parts, "verdict": verdict(parts)}


def _of_baseline(
    baseline: Baseline,
    after: Ranked,
    rows: Ints,
    groups: Ints,
    seed: int,
    recall_at: Sequence[int],
) -> dict[str, Any]:
    """Return the metrics of a baseline with the intervals of Top-k and MRR; see also `statistics`.

    One that is a model has its name, its width, and the statistics of the shipped model against it.
    """
    metrics = baseline.ranked.metrics(rows, recall_at)
    intervals = {str(k): interval_of(metrics[f"top{k}"], len(rows)) for k in TOPK}
    [intervals["mrr"]] = mean_intervals(
        [baseline.ranked.ranking.reciprocal_rank[rows]], groups, seed
    )
    found = metrics | {"intervals": intervals}
    if baseline.model is None:
        return found
    return found | {
        "model": baseline.model,
        "embedding_dim": baseline.embedding_dim,
        "statistics": statistics(baseline.ranked, after, rows, groups, seed, recall_at),
    }


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
    means: dict[str, dict[str, Any]] = {
        name: {
            "before": float(left.mean()),
            "after": float(right.mean()),
            **difference.entries,
        }
        for (name, (left, right)), difference in zip(measured.items(), differences, strict=True)
    }
    # The verdict rests on MRR, so its values have intervals too, by groups as the difference has.
    ends = mean_intervals(np.stack(measured["mrr"]), groups, seed)
    means["mrr"]["intervals"] = dict(zip(("before", "after"), ends, strict=True))
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
    baselines: Mapping[str, Baseline] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Return the rows of `per_question.jsonl`: each question's expected rank before and after.

    `metrics` has the other measures of `MEASURES` in the form of `ranks`.

    Args:
        before: the ranks of the stage-1 model, by source.
        after: the ranks of the shipped model on the same lists.
        qa_ids: the ids of n questions.
        questions: the texts of the questions.
        sets: the sets of questions. A question gets the name of the first set that it is in, and
            its ranks there. Cross-validated ranks stand beside those of the shipped model.
        source: the source whose ranks decide `change`.
        baselines: by name, what a baseline gives. Its ranks stand beside those of the models.
    """
    rows: list[dict[str, Any]] = [
        {"qa_id": qa_id, "question": text, "set": None, "held_out": False}
        for qa_id, text in zip(qa_ids, questions, strict=True)
    ]
    beside = {name: baseline.ranked for name, baseline in baselines.items()}
    plain = _measures(before, after, beside)
    for row, entry in enumerate(rows):
        entry.update(_of_row(plain, row))
    for part in sets:
        if part.after is not None:
            continue
        found = plain
        if part.aside is not None:
            found = _measures(*map(part.measured, (before, after, beside)))
        for row in part.rows.tolist():
            if rows[row]["set"] is None:
                named = {"set": part.name, "held_out": part.held_out}
                rows[row] |= named | _of_row(found, row)
    for entry in rows:
        entry["change"] = _change(*(entry["ranks"][source][side] for side in ("before", "after")))
    for part in sets:
        if part.after is not None:
            found = _measures(part.measured(before), part.measured(part.after), {})
            for row in part.rows.tolist():
                rows[row][part.name.replace("-", "_")] = _of_row(found, row)["ranks"]
    return rows


# Each question has these measures beside its expected rank. They are means over orders of ties.
MEASURES: Mapping[str, Callable[[Ranking], npt.NDArray[np.float64]]] = {
    "reciprocal_rank": lambda ranking: ranking.reciprocal_rank,
    "average_precision": lambda ranking: ranking.average_precision,
    "ndcg10": lambda ranking: ranking.ndcg(10),
    **{f"top{k}": partial(Ranking.success, k=k) for k in TOPK},
}

# By source, and by `before`, `after` and the names of baselines, what is measured, the expected
# rank first: float64 (n,) each.
_Measured = dict[str, dict[str, dict[str, npt.NDArray[np.float64]]]]


def _measures(
    before: Mapping[str, Ranked], after: Mapping[str, Ranked], baselines: Mapping[str, Ranked]
) -> _Measured:
    found = {source: {"before": old, "after": after[source]} for source, old in before.items()}
    if baselines:
        found["corpus"] |= baselines
    return {
        source: {
            side: {"rank": ranked.ranking.rank}
            | {name: measure(ranked.ranking) for name, measure in MEASURES.items()}
            for side, ranked in sides.items()
        }
        for source, sides in found.items()
    }


def _of_row(measured: _Measured, row: int) -> dict[str, Any]:
    """Return the `ranks` and the `metrics` of a question."""
    ranks, metrics = (
        {
            source: {side: of(values) for side, values in sides.items()}
            for source, sides in measured.items()
        }
        for of in (
            lambda values: float(values["rank"][row]),
            lambda values: {name: float(values[name][row]) for name in MEASURES},
        )
    )
    return {"ranks": ranks, "metrics": metrics}


def _change(before: float, after: float) -> str:
    """Name the change of a question's rank: `fixed`, `broken`, `better`, `worse` or `same`."""
    if (before <= 1) != (after <= 1):
        return "fixed" if after <= 1 else "broken"
    return "better" if after < before else "worse" if after > before else "same"
