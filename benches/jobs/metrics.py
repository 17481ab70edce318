"""Top-k, Recall@10, MRR and nDCG@10 of scores in memory. The peers' inputs are ready, too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ir_measures
import numpy as np
import pytrec_eval
import ranx

import stage2
from benches.harness import Bench, Claim, Finding, Peer, expect

CANDIDATES = 100
# For each of our names: the measure and the column of pytrec_eval, and the names of ir_measures and
# ranx.
NAMES = {
    "top1": ("success.1", "success_1", "Success@1", "hit_rate@1"),
    "top3": ("success.3", "success_3", "Success@3", "hit_rate@3"),
    "top5": ("success.5", "success_5", "Success@5", "hit_rate@5"),
    "recall10": ("recall.10", "recall_10", "R@10", "recall@10"),
    "mrr": ("recip_rank", "recip_rank", "RR", "mrr"),
    "ndcg10": ("ndcg_cut.10", "ndcg_cut_10", "nDCG@10", "ndcg@10"),
}


def measure(bench: Bench) -> Iterator[Finding]:
    count = bench.size(20_000)
    random = np.random.default_rng(0)
    # Scores are whole numbers without ties, because the peers break ties by document id.
    scores = random.permuted(np.tile(np.arange(CANDIDATES), (count, 1)), axis=1)
    flat = np.ascontiguousarray(scores.ravel(), np.float32)
    offsets = np.arange(count + 1) * CANDIDATES
    documents = [f"d{i}" for i in range(CANDIDATES)]
    run = {
        f"q{i}": dict(zip(documents, map(float, row), strict=True))
        for i, row in enumerate(scores.tolist())
    }
    qrels = {query: {documents[0]: 1} for query in run}

    trec = pytrec_eval.RelevanceEvaluator(qrels, {measure for measure, *_ in NAMES.values()})
    ir_names = {ir_measures.parse_measure(name): ours for ours, (*_, name, _) in NAMES.items()}
    ir = ir_measures.evaluator(list(ir_names), qrels)

    def trec_agrees(ours: dict[str, Any], theirs: dict[str, dict[str, float]]) -> None:
        columns = {name: column for name, (_, column, *_) in NAMES.items()}
        means = {
            name: np.mean([values[column] for values in theirs.values()])
            for name, column in columns.items()
        }
        same(ours, means)

    others = [
        Peer(
            "ir_measures",
            lambda: ir.calc_aggregate(run),
            lambda a, b: same(a, {ir_names[measure]: mean for measure, mean in b.items()}),
        ),
    ]
    if not bench.quick:  # ranx compiles for twenty seconds
        ranx_qrels, ranx_run = ranx.Qrels(qrels), ranx.Run(run)
        ranx_names = [name for *_, name in NAMES.values()]
        others.append(
            Peer(
                "ranx",
                lambda: ranx.evaluate(ranx_qrels, ranx_run, ranx_names),
                lambda a, b: same(a, dict(zip(NAMES, b.values(), strict=True))),
            )
        )
    job = f"metrics of {count:,} × {CANDIDATES}"
    yield from bench.race(
        job,
        lambda: stage2.rank(flat, offsets).metrics(topk=(1, 3, 5), recall_at=(10,)),
        [Peer("pytrec_eval", lambda: trec.evaluate(run), trec_agrees), *others],
        [
            Claim(job, ("pytrec_eval",), 100),
            Claim(f"{job}, against others", tuple(peer.name for peer in others), None),
        ],
    )


def same(ours: dict[str, Any], theirs: dict[str, float]) -> None:
    for name in NAMES:
        expect(abs(ours[name] - theirs[name]) < 1e-9, f"{name}: {ours[name]}, {theirs[name]}")
