"""The same exact search with the products made on a CUDA device, tile by tile."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stage2._core import similarities as exact_similarities
from stage2._core import topk as exact_topk
from stage2.utils.arrays import Floats, Ints

# Scores of a tile, float32: 1 GiB.
_TILE_SCORES = 1 << 28
_QUERIES = 4096

# How many more candidates than k are kept on the device: their scores there are a little off.
_SPARE = 64

# Beyond these a float32 product or sum may overflow, or lose digits to underflow.
_LARGEST, _SMALLEST = 1e18, 1e-12
# A float32 sum of so many squares is short by a hundredth of it at most: d · 2⁻²⁴.
_WIDEST = 160_000


def topk(queries: Floats, corpus: Floats, k: int, device: str) -> tuple[Ints, Floats]:
    """Find the k rows with the largest inner products; the answer is that of the CPU, bit for bit.

    The device's float32 scores choose k candidates and some to spare, which are given their exact
    scores. A row that is not among them has at most the least score kept plus the bound on a
    float32 sum's error, d · 2⁻²⁴ ‖q‖ ‖c‖ (Higham, Accuracy and Stability of Numerical Algorithms,
    section 3.1; doubled here, which covers the second-order terms). Where that does not rule all
    of them out, as with many equal rows, the query is searched on the CPU.

    Args:
        queries: float32 (Q, d).
        corpus: float32 (N, d).
        k: from 1 to N.
        device: a CUDA device.
    """
    norms = [_norms(side) for side in (queries, corpus)]
    sound = all((side < _LARGEST).all() for side in norms)
    kept = min(len(corpus), k + max(k, _SPARE))
    sound = sound and queries.shape[1] <= _WIDEST
    if not sound or not len(queries) or k < 1 or k > len(corpus):
        return exact_topk(queries, corpus, k)  # which also tells what is wrong
    rows = np.empty((len(queries), k), np.int64)
    scores = np.empty((len(queries), k), np.float32)
    error = 2.0**-23 * queries.shape[1] * norms[0] * norms[1].max() + _SMALLEST
    unproven: list[int] = []
    resident = _resident(corpus, device)
    for start in range(0, len(queries), _QUERIES):
        block = queries[start : start + _QUERIES]
        candidates, least = _candidates(block, resident, kept, device)
        offsets = np.arange(len(block) + 1, dtype=np.int64) * kept
        exact = exact_similarities(block, corpus, candidates.ravel(), offsets)
        exact = exact.reshape(len(block), kept)
        order = _best_first(exact, device)[:, :k]
        part = slice(start, start + len(block))
        rows[part] = np.take_along_axis(candidates, order, axis=1)
        scores[part] = np.take_along_axis(exact, order, axis=1)
        if kept < len(corpus):
            outside = least.astype(np.float64) + error[part]
            # Half a unit in the last place more: the exact score is rounded to float32.
            reach = outside + np.abs(outside) * 2.0**-23
            unproven += (start + np.flatnonzero(reach >= scores[part, -1])).tolist()
    if unproven:
        rows[unproven], scores[unproven] = exact_topk(queries[unproven], corpus, k)
    return rows, scores


def _resident(corpus: Floats, device: str) -> Floats | Tensor:
    """The corpus on the device where a quarter of its free memory holds it, else where it is."""
    place = torch.device(device)
    if place.type != "cuda" or corpus.nbytes > torch.cuda.mem_get_info(place)[0] // 4:
        return corpus
    return torch.tensor(corpus, device=place)


def _candidates(
    queries: Floats, corpus: Floats | Tensor, kept: int, device: str
) -> tuple[Ints, Floats]:
    """The rows with the largest float32 scores, int64 (Q, kept), rising, and their least scores."""
    # TF32 would make the products with ten bits.
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        best: tuple[Tensor, Tensor] | None = None
        left = torch.from_numpy(queries).to(device)
        step = max(kept, _TILE_SCORES // len(queries))
        for start in range(0, len(corpus), step):
            part = corpus[start : start + step]
            tile = part if isinstance(part, Tensor) else torch.tensor(part, device=device)
            found = (left @ tile.T).topk(min(kept, len(tile)), dim=1)
            values, rows = found.values, found.indices + start
            if best is not None:
                values, rows = torch.cat([best[0], values], 1), torch.cat([best[1], rows], 1)
                top = values.topk(kept, dim=1)
                values, rows = top.values, rows.gather(1, top.indices)
            best = values, rows
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
    assert best is not None
    return best[1].sort(dim=1).values.cpu().numpy(), best[0].amin(dim=1).cpu().numpy()


def _best_first(scores: Floats, device: str) -> Ints:
    """Places by falling score, equal ones as they stand: int64 (Q, kept), sorted on the device."""
    keys = torch.from_numpy(scores).to(device)
    found: Ints = keys.sort(dim=1, descending=True, stable=True).indices.cpu().numpy()
    return found


def _norms(vectors: Floats) -> npt.NDArray[np.float64]:
    """Upper bounds of the lengths, (n,): infinite or NaN where float32 cannot square them."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("nd,nd->n", vectors, vectors).astype(np.float64)
    # Each square may have lost what is below the least normal number of float32.
    bounds: npt.NDArray[np.float64] = 1.01 * np.sqrt(squares + vectors.shape[1] * 2.0**-126)
    return bounds
