"""The rank of the ground truth among its candidates."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

import stage2
from benches.harness import Bench, Claim, Finding, Peer, expect

CANDIDATES = 100


def measure(bench: Bench) -> Iterator[Finding]:
    count = bench.size(100_000)
    random = np.random.default_rng(0)
    # Scores are whole numbers without ties, which the line of numpy would count as wins.
    order = random.permuted(np.tile(np.arange(CANDIDATES), (count, 1)), axis=1)
    scores = order.astype(np.float32)
    flat, gold = scores.ravel(), scores[:, :1]
    offsets = np.arange(count + 1) * CANDIDATES

    def same(ours: npt.NDArray[np.float64], above: npt.NDArray[np.int64]) -> None:
        expect(bool((ours == above + 1).all()), "ranks differ")

    job = f"rank of the gold, {count:,} × {CANDIDATES}"
    yield from bench.race(
        job,
        lambda: stage2.rank(flat, offsets).rank,
        [Peer("numpy", lambda: (scores > gold).sum(1), same)],
        [Claim(job, ("numpy",), 1.5)],
    )
