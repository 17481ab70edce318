"""Exact search for the top k over a whole corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import faiss
import numpy as np
import numpy.typing as npt
import torch

import stage2
from benches import inputs
from benches.harness import Bench, Claim, Finding, Peer, expect
from benches.inputs import Vectors

Found = tuple[npt.NDArray[np.int64], Vectors]

QUERIES = 1000
# Torch scores so many rows at a time. The scores of all queries take half a gigabyte.
TORCH_BLOCK = 131_072
# Peers sum in float32, so their scores of unit vectors differ from exact ones by less than this.
ROUNDING = 2e-6


def measure(bench: Bench) -> Iterator[Finding]:
    torch.set_num_threads(bench.threads)
    faiss.omp_set_num_threads(bench.threads)
    for count, width, k, target in (
        (1_000_000, 64, 10, 8),
        (1_000_000, 64, 100, 5),
        (400_000, 128, 10, 2),
    ):
        rows = inputs.isotropic(bench.size(count), width, seed=0)
        queries = inputs.isotropic(QUERIES, width, seed=1)
        yield from compete(bench, queries, rows, k, target)
        if bench.quick:
            return
    for width in (384, 768, 1024):
        queries, rows = inputs.clustered(QUERIES, bench.size(200_000), width)
        yield from compete(bench, queries, rows, 10, 1.5, "clustered")
        rows = inputs.isotropic(len(rows), width, seed=0)
        queries = inputs.isotropic(QUERIES, width, seed=1)
        yield from compete(bench, queries, rows, 10, 1, "isotropic")


def compete(
    bench: Bench, queries: Vectors, rows: Vectors, k: int, target: float, kind: str = ""
) -> Iterator[Finding]:
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)

    def with_faiss() -> Found:
        scores, ids = index.search(queries, k)
        return ids, scores

    def agrees(ours: Found, theirs: Found) -> None:
        same(queries, rows, ours, theirs)

    job = f"top {k} of {len(rows):,} × {rows.shape[1]}, {len(queries):,} queries, {kind}"
    job = job.rstrip(", ")
    peers = [
        Peer("FAISS", with_faiss, agrees),
        Peer("torch whole", torch_search(queries, rows, k, len(rows)), agrees),
        Peer("torch in blocks", torch_search(queries, rows, k, TORCH_BLOCK), agrees),
    ]
    claim = Claim(job, tuple(peer.name for peer in peers), target)
    yield from bench.race(job, lambda: stage2.topk(queries, rows, k), peers, [claim])


def torch_search(queries: Vectors, rows: Vectors, k: int, block: int) -> Callable[[], Found]:
    """Return a search with `matmul` and `topk` for each block of rows, then for the best of all."""
    left, right = torch.from_numpy(queries), torch.from_numpy(rows)

    def search() -> Found:
        scores, ids = [], []
        for start in range(0, len(right), block):
            part = right[start : start + block]
            best = (left @ part.T).topk(min(k, len(part)), dim=1)
            scores.append(best.values)
            ids.append(best.indices + start)
        merged = torch.cat(scores, dim=1).topk(k, dim=1)
        return torch.cat(ids, dim=1).gather(1, merged.indices).numpy(), merged.values.numpy()

    return search


def same(queries: Vectors, rows: Vectors, ours: Found, theirs: Found) -> None:
    """Check that both found the same rows, or rows with the same score up to rounding."""
    ids, _ = theirs
    expect(bool((np.diff(np.sort(ids, axis=1), axis=1) > 0).all()), "a row is named twice")
    exact = np.stack(
        [rows[named].astype(np.float64) @ query for named, query in zip(ids, queries, strict=True)]
    )
    expect(float(np.abs(exact - ours[1]).max()) < ROUNDING, "the best rows differ")
