"""Groups of questions dealt to parts, so that each part has the share of questions asked for.

A group stays where it falls by itself, whatever the others do, as long as the shares come out. Only
where they do not are groups moved, one after another, until no move brings the shares nearer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# By how much a part may miss its share of all questions.
TOLERANCE = 0.05


@dataclass(frozen=True)
class Dealt:
    """Groups in parts.

    Attributes:
        part_of: the part of each group, by its name.
        error: by how much the part that is furthest from its share misses it, as a share of all
            questions.
        empty: whether a part that has a share has no question.
    """

    part_of: dict[str, int]
    error: float
    empty: bool


def deal(sizes: Mapping[str, int], first: Mapping[str, int], shares: Sequence[float]) -> Dealt:
    """Deal groups to parts.

    Args:
        sizes: questions in each group, by its name.
        first: the part that each group falls into by itself, in the order in which groups are
            moved, the last first.
        shares: of each part; their sum is 1.
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
    """Parts that groups are moved between."""

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
        """By how much the part furthest from its share misses it, as a share of all questions."""
        return max(map(abs, self.excess)) / max(1, self.total)

    @property
    def is_short(self) -> bool:
        """Tell whether a part that has a share has no question."""
        return any(
            share and not count for share, count in zip(self.shares, self.count, strict=True)
        )

    @property
    def is_good(self) -> bool:
        return not self.is_short and self.error <= TOLERANCE

    def most_wanting(self) -> int:
        """The part that lacks most, the first of equals."""
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
        """Move groups until no move of one brings the parts nearer to their shares."""
        for part, share in enumerate(self.shares):
            if share and not self.count[part]:
                self._fill(part)
        while (move := self._best_move()) is not None:
            self._move(*move)

    def _fill(self, part: int) -> None:
        """Give an empty part the smallest group of the fullest part that has another."""
        givers = [other for other, count in enumerate(self.count) if count > 1]
        if givers:
            giver = max(givers, key=lambda other: (self.excess[other], -other))
            self._move(giver, part, min(size for size, names in self.held[giver].items() if names))

    def _best_move(self) -> tuple[int, int, int] | None:
        """From where, to where and of which size the group is whose move helps most."""
        best, gain = None, 1e-9
        for giver, held in enumerate(self.held):
            for taker, share in enumerate(self.shares):
                space = self.excess[giver] - self.excess[taker]
                if not share or taker == giver or space <= 0 or self.count[giver] < 2:
                    continue
                for size, names in held.items():
                    # By so much the sum of squares falls.
                    found = 2 * size * (space - size)
                    if names and found > gain:
                        best, gain = (giver, taker, size), found
        return best

    def _move(self, giver: int, taker: int, size: int) -> None:
        name = self.held[giver][size].pop()
        self.excess[giver] -= size
        self.count[giver] -= 1
        self.put(name, taker)
