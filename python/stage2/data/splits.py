"""The sides of a split. Whole groups of questions are placed, so that no test question leaks.

A group has the questions that share a ground-truth chunk, whose ground-truth chunks are
near-duplicates, or that have one wording. The side of a group follows from the seed and its
smallest chunk id. If the shares of the sides do not come out, groups are moved to other sides
(`balance`), and groups that are too large for any side are cut.

To cut a group, the chunks that most questions share no longer join questions. As few chunks are
dropped as suffice. Questions of one wording always stay together. Questions with the same ground
truths are separated only if they alone are too many.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from stage2._core import Samples, text_key
from stage2.data.answer_words import words
from stage2.data.balance import TOLERANCE, Dealt, deal
from stage2.data.contents import SIDES, Sides
from stage2.data.near_duplicates import groups, near_duplicates
from stage2.utils.arrays import Ints
from stage2.utils.errors import BadInputError
from stage2.utils.progress import Progress

# Two ground-truth chunks with this share of common rare shingles stay on one side. An audit uses a
# higher threshold: here a miss leaks, while a false alarm only joins two groups. Unrelated passages
# of XQuAD and of Monte Cristo stay below 0.3, overlapping ones begin at 0.6.
NEAR_DUPLICATE = 0.5

# If questions are few, a part may miss its share by so many before a group is cut.
FEW_ASTRAY = 4


@dataclass(frozen=True)
class Links:
    """The links that join n questions.

    Attributes:
        qa_ids: the id of each question.
        wording: for each question the index of the first question with the same wording.
        chunks: for each question the indices of its ground-truth chunks.
        alike: for each chunk the index of the first of its near-duplicates, or its own.
        names: the id of each chunk, or its text if it has no id.
    """

    qa_ids: Sequence[str]
    wording: list[int]
    chunks: list[list[int]]
    alike: list[int]
    names: list[str]

    @cached_property
    def kinds(self) -> list[frozenset[int]]:
        """For each question its ground-truth chunks, each replaced by its first near-duplicate."""
        return [frozenset(self.alike[chunk] for chunk in row) for row in self.chunks]

    def shared(self, seen: Ints, asked: Ints) -> frozenset[int]:
        """Return the ground-truth chunks of some questions that others have or nearly have.

        Args:
            seen: the rows of the others.
            asked: the rows of the questions whose chunks are returned.
        """
        kinds = {kind for row in seen.tolist() for kind in self.kinds[row]}
        chunks = {chunk for row in asked.tolist() for chunk in self.chunks[row]}
        return frozenset(chunk for chunk in chunks if self.alike[chunk] in kinds)

    def named(self, names: Sequence[str]) -> frozenset[int]:
        """Return the chunks with these names. Names of other chunks do not matter."""
        wanted = set(names)
        return frozenset(chunk for chunk, name in enumerate(self.names) if name in wanted)


@dataclass(frozen=True)
class Groups:
    """The groups of n questions.

    Attributes:
        names: for each question the name of its group: the smallest id of the group's chunks, or of
            its questions if it is a piece of a group that was cut.
        sharing: the number of questions with a ground-truth chunk that another question has too.
        near_duplicates: the number of ground-truth chunks that nearly repeat an earlier one.
        links: the links that joined the questions; None if no group can be cut.
        cut: the number of shared chunks that no longer join questions. Near-duplicates count as
            one chunk.
        parted: whether, in a group that was cut, only questions with one wording or with the same
            ground truths are still joined.
        tied: the number of questions in the groups that were cut.
    """

    names: list[str]
    sharing: int
    near_duplicates: int
    links: Links | None = field(default=None, compare=False)
    cut: int = 0
    parted: bool = False
    tied: int = 0

    @property
    def numbers(self) -> Ints:
        """The number of each question's group: int64 (n,)."""
        return np.unique(np.asarray(self.names), return_inverse=True)[1].astype(np.int64)

    @property
    def rule(self) -> str:
        """The rule of the split, as in `run.json`: `group`, `cut` or `question`."""
        return "question" if self.parted else "cut" if self.cut else "group"

    @property
    def units(self) -> int:
        """The largest number of groups that cutting can give."""
        return len(set(self.names if self.links is None else self.links.wording))

    def take(self, rows: Ints) -> Groups:
        """Return the groups of the questions at `rows`, int64 (k,)."""
        links, wanted = self.links, rows.tolist()
        if links is not None:
            links = replace(
                links,
                qa_ids=[links.qa_ids[row] for row in wanted],
                wording=[links.wording[row] for row in wanted],
                chunks=[links.chunks[row] for row in wanted],
            )
        return replace(self, names=[self.names[row] for row in wanted], links=links)

    def facts(self) -> dict[str, int]:
        """Return the counts of groups and overlaps for `run.json`."""
        sizes = Counter(self.names).values()
        return {
            "groups": len(sizes),
            "largest_group": max(sizes, default=0),
            "questions_sharing_a_chunk": self.sharing,
            "near_duplicate_pairs": self.near_duplicates,
        }


@dataclass(frozen=True)
class Placed:
    """The parts that questions were placed in.

    Attributes:
        parts: the rows of each part, int64 and rising.
        groups: the groups that were kept together.
        shares: the wanted share of each part.
        error: the largest difference between a part's wanted and actual share.
        given: whether the parts were chosen earlier.
        seen: for `dev` and `test`, the chunks that do not count as their ground truths, as indices
            in `groups.links`: training has seen them, or for `test` the choice of the model.
    """

    parts: list[Ints]
    groups: Groups
    shares: Sequence[float]
    error: float
    given: bool = False
    seen: Mapping[str, frozenset[int]] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """Return the rule of the split and how near the shares came, for `run.json`."""
        tied = {"questions_tied": self.groups.tied} if self.groups.tied else {}
        return {
            **tied,
            "rule": "given" if self.given else self.groups.rule,
            "chunks_cut": self.groups.cut,
            "largest_kept_together": self.groups.facts()["largest_group"],
            "furthest_from_its_share": round(self.error, 4),
        }

    def leaked(self, seen: Ints, asked: Ints) -> dict[str, int]:
        """Count the questions that may have leaked.

        Args:
            seen: rows of the questions that were trained on.
            asked: rows of the questions that are measured.

        Returns:
            `same_chunk`: how many of `asked` have a ground truth of one of `seen`;
            `near_duplicate`: how many others have a near-duplicate of such a ground truth.
        """
        links = self.groups.links
        if links is None:
            return {"same_chunk": 0, "near_duplicate": 0}
        chunks = {chunk for row in seen.tolist() for chunk in links.chunks[row]}
        alike = {links.alike[chunk] for chunk in chunks}
        same = [not chunks.isdisjoint(links.chunks[row]) for row in asked.tolist()]
        near = [not alike.isdisjoint(links.kinds[row]) for row in asked.tolist()]
        return {"same_chunk": sum(same), "near_duplicate": sum(near) - sum(same)}


def group_questions(samples: Samples, progress: Progress | None = None) -> Groups:
    """Find the groups of questions that must stay on one side.

    Questions are joined if they share a ground-truth chunk, if their ground-truth chunks are
    near-duplicates, or if they have one wording.

    Args:
        samples: the questions with their ground truths.
        progress: called during the search for near-duplicates.
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
        # Words are compared, not texts: a question with one more full stop would leak, and joining
        # two groups costs little.
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

    Args:
        grouped: the groups.
        dev_share: the share of dev, from 0.
        test_share: the share of test, from 0.
        seed: the seed of the split.

    Returns:
        The parts train, dev and test.

    Raises:
        BadInputError: the shares leave nothing to train on, or there are too few questions.
    """
    if dev_share + test_share >= 1:
        raise BadInputError(
            f"dev share {dev_share:g} and test share {test_share:g} leave nothing to train on; "
            "expected a sum below 1"
        )
    # A group's draw, as a share of all draws, decides its first side: test, then dev, then train.
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
    train, dev, test = sides
    links = placed.groups.links
    seen = {} if links is None else {
        "dev": links.shared(train, dev),
        "test": links.shared(np.concatenate([train, dev]), test),
    }  # fmt: skip
    return replace(placed, parts=sides, shares=shares[::-1], seen=seen)


def given_sides(
    grouped: Groups,
    sides: Sides,
    dev_share: float,
    seed: int,
    seen_chunks: Sides = MappingProxyType({}),
) -> Placed:
    """Place questions on sides that were chosen earlier, by their ids.

    Where train or dev is not among them, the other is split into the two. A group that stands on
    several sides is cut there. Whoever gives sides says what they measure: a ground truth that two
    given sides share counts on both, unless `seen_chunks` names it.

    Args:
        grouped: the groups; each question is on a side.
        sides: the ids of the questions of each side.
        dev_share: the share of dev, where only train or dev is given.
        seed: of that split.
        seen_chunks: for `dev` and `test`, the names of chunks that do not count as their ground
            truths.

    Raises:
        BadInputError: there is nothing to train on, or nothing to choose on.
        KeyError: no question has one of the ids.
        ValueError: the groups have no links.
    """
    if grouped.links is None:
        raise ValueError("groups without links do not know the ids of their questions")
    row_of = {qa_id: row for row, qa_id in enumerate(grouped.links.qa_ids)}
    train, dev, test = (
        np.asarray(sorted(row_of[qa_id] for qa_id in sides.get(name, ())), np.int64)
        for name in SIDES
    )
    seen = {side: grouped.links.named(names) for side, names in seen_chunks.items()}
    if not {"train", "dev"} <= sides.keys():
        pool = np.concatenate([train, dev])
        dealt = split(grouped.take(pool), dev_share, 0, seed)
        train, dev = (pool[rows] for rows in dealt.parts[:2])
        seen["dev"] = grouped.links.shared(train, dev)
    parts = [train, dev, test]
    for name, use, rows in (("train", "train on", train), ("dev", "choose on", dev)):
        if not len(rows):
            raise BadInputError(
                f"the {name} side of the given split has no question; expected some to {use}"
            )
    places = np.zeros(len(row_of), np.int64)
    for place, rows in enumerate(parts):
        places[rows] = place
    held = [{grouped.names[row] for row in rows} for rows in parts]
    kinds = [{kind for row in rows for kind in grouped.links.kinds[row]} for rows in parts]
    torn, crossing = _in_several(held), _in_several(kinds)
    names = [
        f"\0side\0{places[row]}\0{name}" if name in torn else name
        for row, name in enumerate(grouped.names)
    ]
    shares = [len(rows) / max(1, len(row_of)) for rows in parts]
    kept = replace(grouped, names=names, cut=len(crossing))
    return Placed(parts, kept, shares, 0.0, given=True, seen=seen)


Item = TypeVar("Item", bound=Hashable)


def _in_several(sets: Sequence[set[Item]]) -> set[Item]:
    """Return the elements that stand in more than one of the sets."""
    counts = Counter(item for one in sets for item in one)
    return {item for item, count in counts.items() if count > 1}


def folds(grouped: Groups, count: int, seed: int) -> Placed:
    """Divide questions into folds of about the same size. Groups stay whole where possible.

    Returns:
        One part for each fold. There may be fewer folds than `count`, because each needs a group.
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
    """Place groups, and cut those that are too large, but no more than the shares need."""
    count = len(grouped.names)
    allowed = max(TOLERANCE, FEW_ASTRAY / max(1, count))
    above = max(1, int(count * (max(shares) + allowed)))
    # Every part can hold a piece of this size. A larger one would be in one part under all seeds.
    most = max(1, int(count * min(share for share in shares if share)))
    best: tuple[Groups, Dealt] | None = None
    while True:
        cut = cut_down(grouped, above, min(above, most))
        sizes = Counter(cut.names)
        draws = sorted((draw_of(f"{seed}\0{key}{name}"), name) for name in sizes)
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
    """Cut the groups of more than `above` questions into pieces of at most `most`.

    A piece can still be larger if its questions have one wording.
    """
    links = grouped.links
    if links is None:
        return grouped
    rows_of = defaultdict(list)
    for row, name in enumerate(grouped.names):
        rows_of[name].append(row)
    names, cut, parted, tied = list(grouped.names), 0, False, 0
    for rows in rows_of.values():
        if len(rows) <= above:
            continue
        dropped, whole, roots = _cut_one(links, rows, most)
        cut, parted, tied = cut + dropped, parted or not whole, tied + len(rows)
        least: dict[int, str] = {}
        for row, root in zip(rows, roots, strict=True):
            least[root] = min(links.qa_ids[row], least.get(root, links.qa_ids[row]))
        for row, root in zip(rows, roots, strict=True):
            # Pieces are not named by a chunk's id, because pieces of one group can share a chunk.
            names[row] = f"\0question\0{least[root]}"
    return replace(
        grouped,
        names=names,
        cut=grouped.cut + cut,
        parted=grouped.parted or parted,
        tied=grouped.tied + tied,
    )


def _cut_one(links: Links, rows: list[int], most: int) -> tuple[int, bool, list[int]]:
    """Cut a group into pieces of at most `most` questions.

    Returns:
        The number of chunks dropped; whether a shared chunk is left; and for each of `rows` the
        root of its piece, as `_joined` gives it.
    """
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
    """Join the questions at `rows` without the chunks that are `dropped`.

    With `most`, questions with the same ground truths stay joined, unless there are more than
    `most` of them.

    Returns:
        For each of `rows` the smallest place in `rows` of a question that it is joined to.
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


def draw_of(key: str) -> int:
    """Return a number below 2**64 that depends on `key` only."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")


def _relevant(samples: Samples) -> list[list[int]]:
    """Return the indices of each question's ground-truth contexts."""
    offsets, candidates = np.asarray(samples.offsets), np.asarray(samples.candidates)
    return [
        candidates[start : start + count].tolist()
        for start, count in zip(offsets[:-1], np.asarray(samples.num_relevant), strict=True)
    ]
