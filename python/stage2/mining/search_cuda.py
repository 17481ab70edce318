"""The same exact search, with the products computed on a CUDA device, tile by tile."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stage2._core import similarities as exact_similarities
from stage2._core import topk as exact_topk
from stage2.utils.arrays import Floats, Ints

# The number of scores in a tile; as float32 they take 1 GiB.
_TILE_SCORES = 1 << 28
_QUERIES = 4096

# At least so many candidates more than k are kept, because the device's scores are not exact.
_SPARE = 64

# Norms up to the first do not overflow in a float32 product or sum. The second bounds what
# underflow can cost.
_LARGEST, _SMALLEST = 1e18, 1e-12
# The float32 sum of so many squares is too small by a hundredth at most: d · 2⁻²⁴.
_WIDEST = 160_000


def topk(queries: Floats, corpus: Floats, k: int, device: str) -> tuple[Ints, Floats]:
    """Find the k rows with the largest inner products. The result equals the CPU's, bit for bit.

    The device's float32 scores choose k candidates and some more, whose exact scores are then
    computed. The score of any other row is at most the smallest score among the candidates plus the
    error of a float32 sum. The error is at most d · 2⁻²⁴ ‖q‖ ‖c‖ (Higham, Accuracy and Stability of
    Numerical Algorithms, section 3.1); it is doubled here, which covers the second-order terms. If
    another row could still be among the k best, as with many equal rows, the query is searched on
    the CPU.

    Args:
        queries: float32 (Q, d).
        corpus: float32 (N, d).
        k: from 1 to N.
        device: a CUDA device.

    Returns:
        Rows, int64 (Q, k), and scores, float32 (Q, k), as `stage2.topk` returns them.
    """
    norms = [_norms(side) for side in (queries, corpus)]
    sound = all((side < _LARGEST).all() for side in norms)
    kept = min(len(corpus), k + max(k, _SPARE))
    sound = sound and queries.shape[1] <= _WIDEST
    if not sound or not len(queries) or k < 1 or k > len(corpus):
        return exact_topk(queries, corpus, k)  # the core also refuses what is wrong
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
            # The exact score is rounded to float32, which can raise it by half a unit in the last
            # place.
            reach = outside + np.abs(outside) * 2.0**-23
            unproven += (start + np.flatnonzero(reach >= scores[part, -1])).tolist()
    if unproven:
        rows[unproven], scores[unproven] = exact_topk(queries[unproven], corpus, k)
    return rows, scores


def _resident(corpus: Floats, device: str) -> Floats | Tensor:
    """Copy the corpus to the device if a quarter of the free memory there suffices, else not."""
    place = torch.device(device)
    if place.type != "cuda" or corpus.nbytes > torch.cuda.mem_get_info(place)[0] // 4:
        return corpus
    return torch.tensor(corpus, device=place)


def _candidates(
    queries: Floats, corpus: Floats | Tensor, kept: int, device: str
) -> tuple[Ints, Floats]:
    """Find the rows with the largest float32 scores.

    Returns:
        Rows, int64 (Q, kept), rising; and the smallest score of each query's rows, float32 (Q,).
    """
    # TF32 would compute the products with only ten bits.
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
    """Return the places by falling score, int64 (Q, kept); equal scores keep their order."""
    keys = torch.from_numpy(scores).to(device)
    found: Ints = keys.sort(dim=1, descending=True, stable=True).indices.cpu().numpy()
    return found


def _norms(vectors: Floats) -> npt.NDArray[np.float64]:
    """Return upper bounds of the lengths, (n,): infinite or NaN where float32 overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("nd,nd->n", vectors, vectors).astype(np.float64)
    # Each square can have lost at most the smallest normal number of float32.
    bounds: npt.NDArray[np.float64] = 1.01 * np.sqrt(squares + vectors.shape[1] * 2.0**-126)
    return bounds
