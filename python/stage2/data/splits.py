"""Which question stands on which side: by group, so that nothing that is asked was trained on.

A group is what must not be torn apart: questions that share a ground-truth chunk, those whose
ground-truth chunks are near-duplicates, and those of one wording. Its side follows from the seed
and the least of its chunk ids, unless the shares of questions would not come out: then groups are
moved to other sides (`balance`), and groups that no side can hold are cut.

A group is cut by dropping what joins it: the chunks that most questions share count as shared no
longer, as few of them as suffice. Questions of one wording are never parted, those with the same
ground truths only where they alone are too many.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from stage2._core import Samples, text_key
from stage2.data.answer_words import words
from stage2.data.balance import TOLERANCE, Dealt, deal
from stage2.data.near_duplicates import groups, near_duplicates
from stage2.utils.arrays import Ints
from stage2.utils.errors import BadInputError
from stage2.utils.progress import Progress

# From which share of rare shingles on two ground-truth chunks are kept on one side. Lower than what
# an audit calls a near-duplicate: here a miss leaks, and a false alarm only joins two groups.
# Unrelated passages of XQuAD and of Monte Cristo stay below 0.3, overlapping cuts begin at 0.6.
NEAR_DUPLICATE = 0.5

# Where questions are few, a part may miss its share by so many before a group is cut for it.
FEW_ASTRAY = 4


@dataclass(frozen=True)
class Links:
    """The links that join n questions.

    Attributes:
        qa_ids: of each question.
        wording: for each question the first of the same wording.
        chunks: of each question its ground-truth chunks, as numbers.
        alike: for each of those numbers that of the first chunk which it nearly repeats.
        names: the id, or else the text, of each chunk.
    """

    qa_ids: Sequence[str]
    wording: list[int]
    chunks: list[list[int]]
    alike: list[int]
    names: list[str]

    @cached_property
    def kinds(self) -> list[frozenset[int]]:
        """The ground-truth chunks of each question; the first stands for its near-duplicates."""
        return [frozenset(self.alike[chunk] for chunk in row) for row in self.chunks]


@dataclass(frozen=True)
class Groups:
    """The groups of n questions.

    Attributes:
        names: for each question the name of its group: the least id of its chunks, or of its
            questions where it is a piece of a group that was cut.
        sharing: questions whose ground-truth chunk another question has too.
        near_duplicates: ground-truth chunks that are near-duplicates of another before them.
        links: what joined the questions; without it no group can be cut.
        cut: chunks that several questions share, near-duplicates counted as one, which no longer
            join them.
        parted: whether nothing joins questions of the groups that were cut but their wording or
            their having the same ground truths.
    """

    names: list[str]
    sharing: int
    near_duplicates: int
    links: Links | None = field(default=None, compare=False)
    cut: int = 0
    parted: bool = False

    @property
    def numbers(self) -> Ints:
        """A number for each question, int64 (n,), equal within a group."""
        return np.unique(np.asarray(self.names), return_inverse=True)[1].astype(np.int64)

    @property
    def rule(self) -> str:
        """The rule of the split, as in `run.json`: `group`, `cut` or `question`."""
        return "question" if self.parted else "cut" if self.cut else "group"

    @property
    def units(self) -> int:
        """How many groups are left at most, however much is cut."""
        return len(set(self.names if self.links is None else self.links.wording))

    def facts(self) -> dict[str, int]:
        """The overlaps that a split by question would have torn apart."""
        sizes = Counter(self.names).values()
        return {
            "groups": len(sizes),
            "largest_group": max(sizes, default=0),
            "questions_sharing_a_chunk": self.sharing,
            "near_duplicate_pairs": self.near_duplicates,
        }


@dataclass(frozen=True)
class Placed:
    """Questions in parts.

    Attributes:
        parts: rows of each, int64 and rising.
        groups: what was kept together.
        shares: of all questions, as asked for.
        error: by how much the part that is furthest from its share misses it.
    """

    parts: list[Ints]
    groups: Groups
    shares: Sequence[float]
    error: float

    def facts(self) -> dict[str, Any]:
        """By what rule questions were placed, and how near the shares came."""
        return {
            "rule": self.groups.rule,
            "chunks_cut": self.groups.cut,
            "largest_kept_together": self.groups.facts()["largest_group"],
            "furthest_from_its_share": round(self.error, 4),
        }

    def leaked(self, seen: Ints, asked: Ints) -> dict[str, int]:
        """Questions of `asked` with a ground truth of one of `seen`, or nearly the same."""
        links = self.groups.links
        if links is None:
            return {"same_chunk": 0, "near_duplicate": 0}
        chunks = {chunk for row in seen.tolist() for chunk in links.chunks[row]}
        alike = {links.alike[chunk] for chunk in chunks}
        same = [not chunks.isdisjoint(links.chunks[row]) for row in asked.tolist()]
        near = [not alike.isdisjoint(links.kinds[row]) for row in asked.tolist()]
        return {"same_chunk": sum(same), "near_duplicate": sum(near) - sum(same)}


def group_questions(samples: Samples, progress: Progress | None = None) -> Groups:
    """Join the questions that share a ground-truth chunk, or whose chunks are near-duplicates.

    Questions of one wording are joined too, whatever answers them.

    Args:
        samples: the questions, with their ground truths.
        progress: called while near-duplicates are looked for.
    """
    relevant = _relevant(samples)
    chunks = sorted({chunk for row in relevant for chunk in row})
    place = {chunk: index for index, chunk in enumerate(chunks)}
    index = np.asarray(chunks, np.int64)
    ids, texts = samples.context_ids.take(index), samples.contexts.take(index)
    alike = near_duplicates(texts, NEAR_DUPLICATE, progress).tolist()
    first_asked: dict[str, int] = {}
    links = Links(
        qa_ids=samples.qa_ids,
        # By words, not by what is the same text: a full stop more would leak, and joining costs
        # little.
        wording=[
            first_asked.setdefault(words(question) or text_key(question), row)
            for row, question in enumerate(samples.questions)
        ],
        chunks=[[place[chunk] for chunk in row] for row in relevant],
        alike=alike,
        names=[chunk_id or text for chunk_id, text in zip(ids, texts, strict=True)],
    )
    roots = _joined(links, range(len(relevant)), frozenset())
    least: dict[int, str] = {}
    for root, row in zip(roots, links.chunks, strict=True):
        name = min(links.names[chunk] for chunk in row)
        least[root] = min(name, least.get(root, name))
    asked = Counter(chunk for row in relevant for chunk in set(row))
    return Groups(
        names=[least[root] for root in roots],
        sharing=sum(any(asked[chunk] > 1 for chunk in row) for row in relevant),
        near_duplicates=sum(first != chunk for chunk, first in enumerate(alike)),
        links=links,
    )


def split(grouped: Groups, dev_share: float, test_share: float, seed: int) -> Placed:
    """Split questions into train, dev and test, so that those of a group stay on one side.

    Raises:
        BadInputError: the shares leave nothing to train on, or there are too few questions.
    """
    if dev_share + test_share >= 1:
        raise BadInputError(
            f"dev share {dev_share:g} and test share {test_share:g} leave nothing to train on; "
            "expected a sum below 1"
        )
    # Where a group falls by itself: between 0 and the test share, and so on.
    shares = [test_share, dev_share, 1 - dev_share - test_share]
    bounds = np.cumsum(shares[:2])
    placed = _placed(
        grouped, shares, seed, lambda draw: int(np.searchsorted(bounds, draw / 2**64, "right"))
    )
    sides = placed.parts[::-1]
    wanted = [
        name for name, share in zip(("train", "dev", "test"), shares[::-1], strict=True) if share
    ]
    if any(share and not len(rows) for share, rows in zip(shares[::-1], sides, strict=True)):
        raise BadInputError(
            f"{len(grouped.names)} questions of {grouped.units} different wordings cannot be split "
            f"into {', '.join(wanted)}; expected {len(wanted)} or more. Give more questions, or "
            "--split none to measure on the questions that are trained on"
        )
    return replace(placed, parts=sides, shares=shares[::-1])


def given_sides(grouped: Groups, sides: Mapping[str, Sequence[str]]) -> Placed:
    """Sides that were chosen before: train and dev by their questions' ids, and no test.

    A group that stands on both is cut there.

    Raises:
        KeyError: no question has one of the ids.
    """
    if grouped.links is None:
        raise ValueError("groups without links do not know the ids of their questions")
    row_of = {qa_id: row for row, qa_id in enumerate(grouped.links.qa_ids)}
    parts = [
        np.asarray(sorted(row_of[qa_id] for qa_id in sides[name]), np.int64)
        for name in ("train", "dev")
    ]
    held = [{grouped.names[row] for row in rows} for rows in parts]
    both = held[0] & held[1]
    kinds = [{kind for row in rows for kind in grouped.links.kinds[row]} for rows in parts]
    dev = set(parts[1].tolist())
    names = [
        f"\0side\0{row in dev}\0{name}" if name in both else name
        for row, name in enumerate(grouped.names)
    ]
    shares = [len(rows) / max(1, len(row_of)) for rows in parts]
    kept = replace(grouped, names=names, cut=len(kinds[0] & kinds[1]))
    return Placed([*parts, parts[0][:0]], kept, [*shares, 0.0], 0.0)


def folds(grouped: Groups, count: int, seed: int) -> Placed:
    """Cut questions into folds of about one size, whole groups at a time.

    Returns:
        Rows of each fold, int64 and rising; no more folds than groups can be had.
    """
    count = max(1, min(count, grouped.units))
    placed = _placed(grouped, [1 / count] * count, seed, lambda draw: draw % count, "fold\0")
    return replace(placed, parts=[rows for rows in placed.parts if len(rows)])


def _placed(
    grouped: Groups,
    shares: Sequence[float],
    seed: int,
    part_of: Callable[[int], int],
    key: str = "",
) -> Placed:
    """Place groups, cut where they are too large; the least cut that comes near the shares."""
    count = len(grouped.names)
    allowed = max(TOLERANCE, FEW_ASTRAY / max(1, count))
    above = max(1, int(count * (max(shares) + allowed)))
    # Pieces that any part can hold: of larger ones the same would lie in the same part under every
    # seed.
    most = max(1, int(count * min(share for share in shares if share)))
    best: tuple[Groups, Dealt] | None = None
    while True:
        cut = cut_down(grouped, above, min(above, most))
        sizes = Counter(cut.names)
        draws = sorted((_draw(f"{seed}\0{key}{name}"), name) for name in sizes)
        dealt = deal(sizes, {name: part_of(draw) for draw, name in draws}, shares)
        if best is None or (dealt.empty, dealt.error) < (best[1].empty, best[1].error):
            best = cut, dealt
        if above <= 1 or not (dealt.empty or dealt.error > allowed):
            break
        above = max(1, min(above, max(sizes.values())) // 2)
    cut, dealt = best
    parts = np.asarray([dealt.part_of[name] for name in cut.names], np.int64)
    rows = [np.flatnonzero(parts == part).astype(np.int64) for part in range(len(shares))]
    return Placed(rows, cut, shares, dealt.error)


def cut_down(grouped: Groups, above: int, most: int) -> Groups:
    """Cut the groups of more questions than `above` into pieces of at most `most`.

    What is left of a group may still be larger where its questions are of one wording.
    """
    links = grouped.links
    if links is None:
        return grouped
    rows_of = defaultdict(list)
    for row, name in enumerate(grouped.names):
        rows_of[name].append(row)
    names, cut, parted = list(grouped.names), 0, False
    for rows in rows_of.values():
        if len(rows) <= above:
            continue
        dropped, whole, roots = _cut_one(links, rows, most)
        cut, parted = cut + dropped, parted or not whole
        least: dict[int, str] = {}
        for row, root in zip(rows, roots, strict=True):
            least[root] = min(links.qa_ids[row], least.get(root, links.qa_ids[row]))
        for row, root in zip(rows, roots, strict=True):
            # No chunk's id: pieces of one group may have the same.
            names[row] = f"\0question\0{least[root]}"
    return replace(grouped, names=names, cut=grouped.cut + cut, parted=grouped.parted or parted)


def _cut_one(links: Links, rows: list[int], most: int) -> tuple[int, bool, list[int]]:
    """How many chunks are dropped for a group, whether one is left, and the pieces' roots."""
    asked = Counter(chunk for row in rows for chunk in links.kinds[row])
    shared = sorted(
        (chunk for chunk, count in asked.items() if count > 1),
        key=lambda chunk: (-asked[chunk], links.names[chunk]),
    )

    def pieces(count: int) -> list[int]:
        return _joined(links, rows, frozenset(shared[:count]), most)

    low, high = 0, len(shared)
    while low < high:
        middle = (low + high) // 2
        if max(Counter(pieces(middle)).values()) <= most:
            high = middle
        else:
            low = middle + 1
    return low, low < len(shared), pieces(low)


def _joined(
    links: Links, rows: Sequence[int], dropped: frozenset[int], most: int | None = None
) -> list[int]:
    """For each of `rows` the least place of one that it is joined to, though not by `dropped`.

    With `most`, questions with the same ground truths are joined whatever is dropped, unless they
    alone are more.
    """
    first: dict[Any, int] = {}
    alike = Counter(links.kinds[row] for row in rows) if most else Counter()
    pairs = []
    for place, row in enumerate(rows):
        kinds = links.kinds[row]
        pairs.append((first.setdefault(("wording", links.wording[row]), place), place))
        if most and alike[kinds] <= most:
            pairs.append((first.setdefault(kinds, place), place))
        pairs += [(first.setdefault(chunk, place), place) for chunk in kinds - dropped]
    return groups(len(rows), pairs)


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
