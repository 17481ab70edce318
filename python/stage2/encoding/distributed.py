"""What processes share of the work, so that the answer is that of one process.

Embedding and training: whole batches of texts go to the processes in turn. Which texts stand in a
batch together, and so its last bits, does not depend on how many processes there are; nor does the
dropout of a training group, which has a seed of its own.

A search: every process searches a part of the corpus for all queries. A score is exact whatever
else is searched, so the merge is exact too; and each vector is sent once, where sharing out the
queries would send the whole corpus to everyone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from stage2.encoding.embeddings import Embeddings
from stage2.encoding.encode import Progress, encode_batches
from stage2.encoding.tokens import TokenizedTexts
from stage2.mining.search import Bools, Nearest, Texts, default_budget, search_texts
from stage2.training.step import Groups, Vectors
from stage2.utils.arrays import Floats, Ints
from stage2.utils.distributed import World

# Vectors are copied a few times on their way: pickled, sent, unpickled, searched.
_COPIES = 4


def encode_shared(
    world: World,
    tokens: TokenizedTexts,
    batches: list[Ints],
    precision: str,
    progress: Progress | None,
) -> Embeddings:
    """Embed batches of texts with the model lent, each in one of the processes.

    Args:
        world: the processes.
        tokens: n texts.
        batches: rows of `tokens`.
        precision: `fp32`, `bf16` or `fp16`, settled by this process's device.
        progress: called after each batch of this process, as if the others were as far.
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
    out = Embeddings.empty(total, world.lent.embedding_dim)
    for share, part in zip(shares, parts, strict=True):
        if share:
            out.put(np.concatenate(share), part)
    return out


def _encode_share(
    world: World, work: tuple[list[TokenizedTexts], str], progress: Progress | None = None
) -> Embeddings:
    batches, precision = work
    tokens = TokenizedTexts(
        [ids for batch in batches for ids in batch.ids],
        [found for batch in batches for found in batch.entity_tokens],
    )
    ends = np.cumsum([len(batch) for batch in batches], dtype=np.int64)
    rows = np.split(np.arange(len(tokens)), ends[:-1]) if batches else []
    return encode_batches(world.lent, tokens, rows, precision, progress)


class SharedGroups(Groups):
    """Groups of a training step's texts, each embedded in one of the processes."""

    def __init__(self, world: World, groups: Groups) -> None:
        self.world = world
        self.groups = groups
        world.lend(groups.model)

    def embed(self) -> list[Vectors]:
        """As `Groups.embed`, on this process's device."""
        given, size = self.groups, self.world.size
        training = given.model.training
        parts = self.world.map(
            _embed_share,
            [
                (given.texts[rank::size], given.seeds[rank::size], given.precision, given.cached,
                 training)
                for rank in range(size)
            ],
        )  # fmt: skip
        device = given.model.device
        found = [parts[i % size][i // size] for i in range(len(given.texts))]
        return [Vectors(*(tensor.to(device) for tensor in vectors)) for vectors in found]

    def backward(self, gradients: list[tuple[Tensor, Tensor]]) -> None:
        """As `Groups.backward`; the gradients of all processes add up in this one's model."""
        size = self.world.size
        lists = [[(mu.cpu(), entity.cpu()) for mu, entity in gradients[rank::size]]
                 for rank in range(size)]  # fmt: skip
        self.world.map(_backward_share, lists)
        self.world.sum_gradients()


def _embed_share(
    world: World, work: tuple[list[TokenizedTexts], list[int], str, bool, bool]
) -> list[tuple[Tensor, Tensor, Tensor]]:
    texts, seeds, precision, cached, training = work
    world.lent.train(training)
    groups = Groups(world.lent, texts, seeds, precision, cached)
    # Kept with its graph: the gradient at the vectors comes back in the next piece of work.
    world.kept = groups
    return [
        (found.mu.detach().cpu(), found.entity.detach().cpu(), found.has_entity.cpu())
        for found in groups.embed()
    ]


def _backward_share(world: World, gradients: list[tuple[Tensor, Tensor]]) -> None:
    device = world.lent.device
    groups, world.kept = world.kept, None
    groups.backward([(mu.to(device), entity.to(device)) for mu, entity in gradients])


@dataclass(frozen=True)
class _Part:
    """Some texts of a corpus, in memory."""

    mu: Floats
    entity: Floats
    has_entity: Bools

    @classmethod
    def of(cls, texts: Texts, rows: slice) -> _Part:
        return cls(texts.mu[rows], texts.entity[rows], texts.has_entity[rows])


def search_shared(
    world: World,
    queries: Texts,
    corpus: Texts,
    k: int,
    *,
    device: str = "cpu",
    memory_budget: int | None = None,
) -> Nearest:
    """As `search.search_texts`, every process searching a part of the corpus.

    The corpus goes round in rounds that fit the memory budget.
    """
    budget = default_budget() if memory_budget is None else memory_budget
    size, asked = len(corpus.mu), _Part.of(queries, slice(None))
    row_bytes = _COPIES * 2 * corpus.mu.shape[1] * corpus.mu.itemsize
    step = max(1, -(-min(size, max(1, budget // row_bytes)) // world.size))
    starts = list(range(0, size, step))
    best: Nearest | None = None
    for first in range(0, len(starts), world.size):
        turn = starts[first : first + world.size]
        parts = [_Part.of(corpus, slice(start, start + step)) for start in turn]
        work = [(asked, part, k, device) for part in parts]
        idle = [None] * (world.size - len(work))
        for start, found in zip(turn, world.map(_search_share, [*work, *idle]), strict=False):
            nearest = Nearest(found.rows + start, found.scores)
            best = nearest if best is None else best.merge(nearest, k)
    if best is None:
        raise ValueError("a corpus of no texts")
    return best


def _search_share(_: World, work: tuple[_Part, _Part, int, str] | None) -> Nearest:
    if work is None:
        return Nearest(np.empty((0, 0), np.int64), np.empty((0, 0), np.float32))
    queries, part, k, device = work
    return search_texts(queries, part, k, device=device)


def _pick(tokens: TokenizedTexts, rows: Ints) -> TokenizedTexts:
    """Some texts as plain lists, that can be sent."""
    return TokenizedTexts(
        [tokens.ids[row] for row in rows], [tokens.entity_tokens[row] for row in rows]
    )
