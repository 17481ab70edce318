"""Data sets and samples over the core; splits."""

from __future__ import annotations

import hashlib

import numpy as np

from stage2._core import Annotations, Dataset, Samples
from stage2.arrays import Ints
from stage2.errors import BadInputError

__all__ = ["Annotations", "Dataset", "Samples", "groups_of", "split_by_chunk"]


def split_by_chunk(
    samples: Samples, dev_share: float, test_share: float, seed: int
) -> tuple[Ints, Ints, Ints]:
    """Split questions so that those that share a ground-truth chunk stay on one side.

    A group's side follows from the seed and the least of its chunk ids alone, so that adding data
    moves no question that is not joined to it.

    Returns:
        Rows of train, dev and test, each int64 and rising.

    Raises:
        BadInputError: a side that was asked for is empty.
    """
    if dev_share + test_share >= 1:
        raise BadInputError(
            f"dev share {dev_share:g} and test share {test_share:g} leave nothing to train on; "
            "expected a sum below 1"
        )
    sides: tuple[list[int], list[int], list[int]] = ([], [], [])
    for row, group in enumerate(_groups(samples)):
        digest = hashlib.blake2b(f"{seed}\0{group}".encode(), digest_size=8).digest()
        share = int.from_bytes(digest, "little") / 2**64
        side = 2 if share < test_share else 1 if share < test_share + dev_share else 0
        sides[side].append(row)
    for name, rows, share in zip(
        ("train", "dev", "test"), sides, (1, dev_share, test_share), strict=True
    ):
        if share and not rows:
            raise BadInputError(
                f"the split leaves no {name} question: {len(samples)} questions are too few for "
                "it. Use another --seed, other shares, or --split none"
            )
    train, dev, test = (np.asarray(rows, np.int64) for rows in sides)
    return train, dev, test


def groups_of(samples: Samples) -> Ints:
    """For each question the number of its group, equal for those that share a chunk; int64 (n,)."""
    _, numbers = np.unique(np.asarray(_groups(samples)), return_inverse=True)
    return numbers.astype(np.int64)


def _groups(samples: Samples) -> list[str]:
    """For each question the least chunk id, or text, that its group of questions shares."""
    offsets, candidates = np.asarray(samples.offsets), np.asarray(samples.candidates)
    relevant = [
        candidates[start : start + count].tolist()
        for start, count in zip(offsets[:-1], np.asarray(samples.num_relevant), strict=True)
    ]
    parent: dict[int, int] = {}

    def root(chunk: int) -> int:
        while parent.setdefault(chunk, chunk) != chunk:
            parent[chunk] = chunk = parent[parent[chunk]]
        return chunk

    for first, *others in relevant:
        for other in others:
            parent[root(other)] = root(first)
    chunks = sorted(parent.keys() | {chunk for row in relevant for chunk in row})
    names = dict(zip(chunks, samples.context_ids.take(np.asarray(chunks)), strict=True))
    texts = dict(zip(chunks, samples.contexts.take(np.asarray(chunks)), strict=True))
    least: dict[int, str] = {}
    for chunk in chunks:
        name = names[chunk] or texts[chunk]
        least[root(chunk)] = min(name, least.get(root(chunk), name))
    return [least[root(row[0])] for row in relevant]
