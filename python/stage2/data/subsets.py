"""Subsets of questions of several sizes, each inside the next, with whole groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stage2.data.splits import draw_of
from stage2.utils.arrays import Ints


def nested(rows: Ints, names: Sequence[str], sizes: Sequence[int], seed: int) -> list[Ints]:
    """Draw subsets of questions. Of two subsets the smaller one is inside the larger one.

    The groups are put in an order that depends on the seed and on their names alone. A subset has
    the fewest groups from the front of that order that have `size` questions or more, so a large
    group can make it larger than it was asked for.

    Args:
        rows: int64 (n,), the rows of the questions, rising.
        names: for each row of the data, in `rows` or not, the name of its group.
        sizes: for each subset the number of questions that it has at least, unless there are fewer.
        seed: the seed of the order.

    Returns:
        For each size the rows of its subset: int64, rising.
    """
    own = [names[row] for row in rows.tolist()]
    ordered = sorted(set(own), key=lambda name: (draw_of(f"{seed}\0rung\0{name}"), name))
    place = {name: number for number, name in enumerate(ordered)}
    numbers = np.asarray([place[name] for name in own], np.int64)
    # The number of questions in the first k groups, for k from 0.
    within = np.concatenate([[0], np.cumsum(np.bincount(numbers, minlength=len(ordered)))])
    found = []
    for size in sizes:
        groups = int(np.searchsorted(within, min(size, len(rows))))
        found.append(rows[numbers < groups])
    return found
