"""Embedding that is shared out among processes, with the same result as in one process.

Whole batches of texts go to the processes in turn. So the texts of a batch, and thereby the last
bits of their vectors, do not depend on the number of processes.
"""

from __future__ import annotations

import numpy as np

from stage2.encoding.batches import encode_batches
from stage2.encoding.embeddings import Embeddings
from stage2.encoding.tokens import TokenizedTexts
from stage2.utils.arrays import Ints
from stage2.utils.distributed import World
from stage2.utils.progress import Progress


def encode_shared(
    world: World,
    tokens: TokenizedTexts,
    batches: list[Ints],
    precision: str,
    progress: Progress | None,
) -> Embeddings:
    """Embed batches of texts with the lent model, each batch in one of the processes.

    Args:
        world: the processes, to which the model is lent.
        tokens: n texts.
        batches: the rows of `tokens` in each batch.
        precision: `fp32`, `bf16` or `fp16`, as resolved for the device of this process.
        progress: called after each batch of this process, as if each process had done as much.
    """
    shares = [batches[rank :: world.size] for rank in range(world.size)]
    total = len(tokens)

    def told(done: int, _: int, done_tokens: int = 0, /) -> None:
        if progress is not None:
            progress(min(total, done * world.size), total, done_tokens * world.size)

    parts = world.map(
        _encode_share,
        [([_pick(tokens, rows) for rows in share], precision) for share in shares],
        progress=told,
    )
    out = Embeddings.empty(total, world.lent.embedding_dim, distance=world.lent.distance)
    for share, part in zip(shares, parts, strict=True):
        if share:
            out.put(np.concatenate(share), part)
    return out


def _encode_share(
    world: World, work: tuple[list[TokenizedTexts], str], progress: Progress | None = None
) -> Embeddings:
    batches, precision = work
    tokens = TokenizedTexts.joined(batches)
    ends = np.cumsum([len(batch) for batch in batches], dtype=np.int64)
    rows = np.split(np.arange(len(tokens)), ends[:-1]) if batches else []
    return encode_batches(world.lent, tokens, rows, precision, progress)


def _pick(tokens: TokenizedTexts, rows: Ints) -> TokenizedTexts:
    """Select texts as plain lists, which can be sent to another process."""
    return TokenizedTexts.take(tokens, rows)
