"""Assign groups of questions to parts, so that each part gets its share of the questions.

Each group has a first part, which does not depend on other groups. If the shares come out within
the tolerance, all groups stay there. Otherwise groups are moved, one after another, until no move
brings the shares nearer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# The largest allowed difference between a part's share of the questions and the wanted share.
TOLERANCE = 0.05


@dataclass(frozen=True)
class Dealt:
    """The parts that groups were assigned to.

    Attributes:
        part_of: the part of each group, by the name of the group.
        error: the largest difference between a part's wanted and actual share of all questions.
        empty: whether a part got no question although its share is above 0.
    """

    part_of: dict[str, int]
    error: float
    empty: bool


def deal(sizes: Mapping[str, int], first: Mapping[str, int], shares: Sequence[float]) -> Dealt:
    """Assign groups to parts.

    Args:
        sizes: the number of questions in each group, by the name of the group.
        first: the first part of each group. Of groups of one size, the last one here is moved
            first.
        shares: the share of each part; their sum is 1.
    """
    found = _Table(sizes, shares)
    for name, part in first.items():
        found.put(name, part)
    if not found.is_good:
        found.even_out()
    if not found.is_good:
        other = _Table(sizes, shares)
        for name in sorted(first, key=lambda name: -sizes[name]):
            other.put(name, other.most_wanting())
        other.even_out()
        found = min(found, other, key=lambda table: (table.is_short, table.error))
    return found.dealt()


class _Table:
    """The parts, between which groups are moved."""

    def __init__(self, sizes: Mapping[str, int], shares: Sequence[float]) -> None:
        self.sizes = sizes
        self.total = sum(sizes.values())
        self.shares = shares
        self.excess = [-share * self.total for share in shares]
        self.count = [0] * len(shares)
        # For each part and each size, the names of the groups.
        self.held: list[dict[int, list[str]]] = [defaultdict(list) for _ in shares]

    def put(self, name: str, part: int) -> None:
        size = self.sizes[name]
        self.held[part][size].append(name)
        self.excess[part] += size
        self.count[part] += 1

    @property
    def error(self) -> float:
        """The largest difference between a part's wanted and actual share of all questions."""
        return max(map(abs, self.excess)) / max(1, self.total)

    @property
    def is_short(self) -> bool:
        """Whether a part has no question although its share is above 0."""
        return any(
            share and not count for share, count in zip(self.shares, self.count, strict=True)
        )

    @property
    def is_good(self) -> bool:
        return not self.is_short and self.error <= TOLERANCE

    def most_wanting(self) -> int:
        """Return the part that lacks most questions; of equal parts the first."""
        return min(range(len(self.shares)), key=lambda part: (self.excess[part], part))

    def dealt(self) -> Dealt:
        part_of = {
            name: part
            for part, held in enumerate(self.held)
            for names in held.values()
            for name in names
        }
        return Dealt(part_of, self.error, self.is_short)

    def even_out(self) -> None:
        """Move single groups until no move brings the parts nearer to their shares."""
        for part, share in enumerate(self.shares):
            if share and not self.count[part]:
                self._fill(part)
        while (move := self._best_move()) is not None:
            self._move(*move)

    def _fill(self, part: int) -> None:
        """Move a group to an empty part: the smallest one of the fullest part with two or more."""
        givers = [other for other, count in enumerate(self.count) if count > 1]
        if givers:
            giver = max(givers, key=lambda other: (self.excess[other], -other))
            self._move(giver, part, min(size for size, names in self.held[giver].items() if names))

    def _best_move(self) -> tuple[int, int, int] | None:
        """Return the best move: from which part, to which part, and the size of the group.

        None means that no move helps.
        """
        best, gain = None, 1e-9
        for giver, held in enumerate(self.held):
            for taker, share in enumerate(self.shares):
                space = self.excess[giver] - self.excess[taker]
                if not share or taker == giver or space <= 0 or self.count[giver] < 2:
                    continue
                for size, names in held.items():
                    # The move lowers the sum of the squared differences by this.
                    found = 2 * size * (space - size)
                    if names and found > gain:
                        best, gain = (giver, taker, size), found
        return best

    def _move(self, giver: int, taker: int, size: int) -> None:
        name = self.held[giver][size].pop()
        self.excess[giver] -= size
        self.count[giver] -= 1
        self.put(name, taker)
