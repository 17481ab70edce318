"""Exact search on a GPU, against torch's product and `topk` there and against the processor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

import stage2
from benches import inputs
from benches.harness import Bench, Claim, Finding, Peer, expect

QUERIES, ROWS, WIDTH, NEAREST = 20_000, 1_000_000, 64, 61
# Queries that the peer scores at once: their float32 scores take 4 GB.
BLOCK = 1000
# The peer sums in float32, so its scores differ from the exact ones by less than this.
ROUNDING = 2e-6


def measure(bench: Bench) -> Iterator[Finding]:
    queries, corpus = inputs.clustered(bench.size(QUERIES), bench.size(ROWS), WIDTH)

    def ours(device: str) -> Any:
        return stage2.topk(queries, corpus, NEAREST, device=device)

    def torch_alone() -> Any:
        rows = torch.from_numpy(corpus).to(bench.device)
        blocks = torch.from_numpy(queries).to(bench.device).split(BLOCK)
        found = [torch.topk(block @ rows.T, NEAREST) for block in blocks]
        best = (
            torch.cat([getattr(part, name) for part in found]) for name in ("indices", "values")
        )
        return [part.cpu().numpy() for part in best]

    def same(ours: Any, found: Any) -> None:
        expect(all(map(np.array_equal, ours, found)), "the answer is not that of the processor")

    def near(ours: Any, found: Any) -> None:
        far = float(np.abs(ours[1] - found[1]).max())
        expect(far < ROUNDING, f"scores are {far:.2g} apart")

    job = f"top {NEAREST} of {len(corpus):,} × {WIDTH}, {len(queries):,} queries, on the GPU"
    peers = [
        Peer("torch on the GPU, float32 sums", torch_alone, near),
        Peer("stage2 on the processor", lambda: ours("cpu"), same),
    ]
    claims = [Claim(f"{job}, against {peer.name}", (peer.name,), None) for peer in peers]
    yield from bench.race(job, lambda: ours(bench.device), peers, claims)
