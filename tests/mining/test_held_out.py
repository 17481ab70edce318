"""Negatives that answer no question of a later side, against a slow twin."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stage2.mining.hard_negatives import MinedNegatives, Positives, Rules, mine_negatives
from stage2.mining.held_out import mine_by_side
from stage2.utils.arrays import Ints

QUESTIONS, CHUNKS, NEGATIVES = 7, 12, 3


@st.composite
def problems(draw: Any) -> tuple[list[list[int]], list[int], list[int]]:
    """Ground truths of each question, the group of each chunk, the side of each question."""
    chunk = st.integers(0, CHUNKS - 1)
    truths = draw(
        st.lists(
            st.lists(chunk, min_size=1, max_size=3, unique=True),
            min_size=QUESTIONS, max_size=QUESTIONS,
        )
    )  # fmt: skip
    groups = draw(st.lists(st.integers(0, 9), min_size=CHUNKS, max_size=CHUNKS))
    # 3 is no side.
    side = draw(st.lists(st.integers(0, 3), min_size=QUESTIONS, max_size=QUESTIONS))
    return truths, groups, side


@given(problems(), st.integers(0, 2**16))
def test_a_side_is_given_no_answer_of_a_later_one(
    problem: tuple[list[list[int]], list[int], list[int]], seed: int
) -> None:
    truths, group, side = problem
    generator = np.random.default_rng(seed)
    questions = generator.normal(size=(QUESTIONS, 5)).astype(np.float32)
    chunks = generator.normal(size=(CHUNKS, 5)).astype(np.float32)
    offsets = np.cumsum([0, *map(len, truths)])
    positives = Positives(np.concatenate(truths).astype(np.int64), offsets)
    groups, rules = np.asarray(group, np.int64), Rules(negatives=NEGATIVES)

    def mine(rows: Ints, allowed: Ints, own: Positives) -> MinedNegatives:
        return mine_negatives(questions[rows], chunks[allowed], own, rules, groups=groups[allowed])

    everywhere = mine_negatives(questions, chunks, positives, rules, groups=groups)
    sides = [np.flatnonzero(np.asarray(side) == one).astype(np.int64) for one in range(3)]
    rows, starts = mine_by_side(mine, positives, groups, sides, everywhere)
    found = [part.tolist() for part in np.split(rows, starts[1:-1])]

    scores = questions @ chunks.T
    for i in range(QUESTIONS):
        known = {group[c] for j in range(QUESTIONS) if side[j] <= side[i] for c in truths[j]}
        later = {group[c] for j in range(QUESTIONS) if 3 > side[j] > side[i] for c in truths[j]}
        hidden = later - known if side[i] < 3 else set()
        own = {group[c] for c in truths[i]}
        order = sorted(range(CHUNKS), key=lambda c: -scores[i, c])
        allowed = [c for c in order if group[c] not in hidden | own]
        assert [group[c] for c in found[i]] == [group[c] for c in allowed[: len(found[i])]]
        assert len(found[i]) == min(NEGATIVES, len(allowed))
