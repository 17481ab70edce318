"""Which question stands on which side: by group, so that nothing that is asked was trained on.

A group is what must not be torn apart: questions that share a ground-truth chunk, those whose
ground-truth chunks are near-duplicates, and those of one wording. Its side follows from the seed
and the least of its chunk ids alone: adding data moves no question that is not joined to it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass

import numpy as np

from stage2._core import Samples
from stage2.arrays import Ints
from stage2.errors import BadInputError
from stage2.near_duplicates import groups, near_duplicates, normalised

# Jaccard index from which two ground-truth chunks are kept on one side. Lower than what an audit
# calls a near-duplicate: here a miss leaks, and a false alarm only joins two groups. Unrelated
# passages of XQuAD and of Monte Cristo stay below 0.3, overlapping cuts of one text begin at 0.6.
NEAR_DUPLICATE = 0.5


@dataclass(frozen=True)
class Groups:
    """The groups of n questions.

    Attributes:
        names: for each question the least chunk id (or text) of its group.
        sharing: questions whose ground-truth chunk another question has too.
        near_duplicates: pairs of ground-truth chunks that are near-duplicates.
    """

    names: list[str]
    sharing: int
    near_duplicates: int

    @property
    def numbers(self) -> Ints:
        """A number for each question, int64 (n,), equal within a group."""
        return np.unique(np.asarray(self.names), return_inverse=True)[1].astype(np.int64)

    def facts(self) -> dict[str, int]:
        """The overlaps that a split by question would have torn apart."""
        sizes = Counter(self.names).values()
        return {
            "groups": len(sizes),
            "largest_group": max(sizes, default=0),
            "questions_sharing_a_chunk": self.sharing,
            "near_duplicate_pairs": self.near_duplicates,
        }


def group_questions(samples: Samples) -> Groups:
    """Join the questions that share a ground-truth chunk, or whose chunks are near-duplicates.

    Questions of one wording are joined too, whatever answers them.
    """
    relevant = _relevant(samples)
    chunks = sorted({chunk for row in relevant for chunk in row})
    place = {chunk: index for index, chunk in enumerate(chunks)}
    index = np.asarray(chunks, np.int64)
    ids, texts = samples.context_ids.take(index), samples.contexts.take(index)
    similar = near_duplicates(list(texts), NEAR_DUPLICATE)
    together = [(place[row[0]], place[other]) for row in relevant for other in row[1:]]
    asked_first: dict[str, int] = {}
    for question, row in zip(samples.questions, relevant, strict=True):
        first = asked_first.setdefault(normalised(question), place[row[0]])
        together.append((first, place[row[0]]))
    joined = groups(len(chunks), np.concatenate([similar, np.reshape(together, (-1, 2))]).astype(
        np.int64))  # fmt: skip

    least: dict[int, str] = {}
    for root, chunk_id, text in zip(joined.tolist(), ids, texts, strict=True):
        name = chunk_id or text
        least[root] = min(name, least.get(root, name))
    asked = Counter(chunk for row in relevant for chunk in set(row))
    return Groups(
        names=[least[int(joined[place[row[0]]])] for row in relevant],
        sharing=sum(any(asked[chunk] > 1 for chunk in row) for row in relevant),
        near_duplicates=len(similar),
    )


def split_by_chunk(
    samples: Samples,
    dev_share: float,
    test_share: float,
    seed: int,
    grouped: Groups | None = None,
) -> tuple[Ints, Ints, Ints]:
    """Split questions so that those of a group stay on one side.

    Args:
        samples: n questions.
        dev_share: of the groups.
        test_share: of the groups.
        seed: of the draw.
        grouped: of `samples`, where they are known already.

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
    for row, group in enumerate((grouped or group_questions(samples)).names):
        share = _draw(f"{seed}\0{group}") / 2**64
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


def folds(grouped: Groups, count: int, seed: int) -> list[Ints]:
    """Cut questions into folds, whole groups at a time.

    Returns:
        Rows of each fold, int64 and rising; folds that no group fell into are left out.
    """
    of = np.asarray([_draw(f"{seed}\0fold\0{name}") % count for name in grouped.names], np.int64)
    return [np.flatnonzero(of == fold).astype(np.int64) for fold in np.unique(of)]


def _draw(key: str) -> int:
    """A number below 2**64 that follows from `key` alone."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")


def _relevant(samples: Samples) -> list[list[int]]:
    """The ground-truth contexts of each question, as indices."""
    offsets, candidates = np.asarray(samples.offsets), np.asarray(samples.candidates)
    return [
        candidates[start : start + count].tolist()
        for start, count in zip(offsets[:-1], np.asarray(samples.num_relevant), strict=True)
    ]
