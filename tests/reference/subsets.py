"""Nested subsets of whole groups: one group after another, counted each time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence


def slow_nested(
    rows: Iterable[int], names: Sequence[str], sizes: Sequence[int], seed: int
) -> list[list[int]]:
    """Add whole groups in the order of their hashes until there are enough questions."""

    def draw(name: str) -> int:
        key = f"{seed}\0rung\0{name}".encode()
        return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little")

    everyone, found = sorted(rows), []
    for size in sizes:
        inside: list[int] = []
        waiting = sorted({names[row] for row in everyone}, key=draw)
        while len(inside) < min(size, len(everyone)):
            name = waiting.pop(0)
            inside += [row for row in everyone if names[row] == name]
        found.append(sorted(inside))
    return found
