"""Held-out questions without the ground truths that training has seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stage2.data.splits import Groups, folds, given_sides, split
from stage2.data.unseen import Unseen, unseen, unseen_fold, unseen_folds, unseen_side
from stage2.utils.errors import BadInputError
from tests import reference
from tests.data.test_splits import linked
from tests.judgements import cranfield_like

chunks = st.lists(
    st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True), min_size=12, max_size=30
)


def alike(one: int, other: int) -> bool:
    """Chunk 2 nearly repeats chunk 0."""
    return one == other or {one, other} == {0, 2}


def grouped_of(truths: list[list[int]]) -> Groups:
    """Group questions where chunk 2 nearly repeats chunk 0."""
    if not any(2 in row for row in truths):
        return linked(truths)
    grouped = linked([[0 if chunk == 2 else chunk for chunk in row] for row in truths])
    assert grouped.links is not None
    count = 1 + max(chunk for row in truths for chunk in row)
    links = replace(
        grouped.links,
        chunks=truths,
        alike=[0 if chunk == 2 else chunk for chunk in range(count)],
        names=[f"c{i:04}" for i in range(count)],
    )
    return replace(grouped, links=links)


def check(found: Unseen, truths: list[list[int]], asked: list[int], seen: list[int]) -> None:
    """Compare with the plain search."""
    marks = reference.unseen_truths(truths, asked, seen, alike)
    assert found.asked.tolist() == asked
    assert found.rows.tolist() == [*marks]
    assert found.gone == len(asked) - len(marks)
    wanted = [mark for row, own in enumerate(truths) for mark in marks.get(row, [False] * len(own))]
    assert ([False] * len(wanted) if found.aside is None else found.aside.tolist()) == wanted
    gone = sum(len(truths[row]) for row in asked if row not in marks)
    assert found.seen == sum(wanted) + gone


@given(chunks, st.integers(0, 3))
def test_what_is_left_out_is_what_a_plain_search_finds(truths: list[list[int]], seed: int) -> None:
    grouped = grouped_of(truths)
    try:
        placed = split(grouped, 0.2, 0.3, seed)
    except BadInputError:
        assume(False)
    train, dev, test = (rows.tolist() for rows in placed.parts)
    check(unseen_side(placed, "dev"), truths, dev, train)
    check(unseen_side(placed, "test"), truths, test, train + dev)
    if not placed.groups.cut:
        assert not any(placed.seen.values())


@given(chunks, st.integers(0, 3))
def test_each_fold_is_without_what_the_others_have(truths: list[list[int]], seed: int) -> None:
    folded = folds(grouped_of(truths), 4, seed)
    everyone = np.arange(len(truths))
    parts = [unseen_fold(folded, rows, np.setdiff1d(everyone, rows)) for rows in folded.parts]
    for rows, part in zip(folded.parts, parts, strict=True):
        check(part, truths, rows.tolist(), np.setdiff1d(everyone, rows).tolist())
    joined = unseen_folds(folded)
    assert joined.asked.tolist() == everyone.tolist()
    assert set(joined.rows.tolist()) == {row for part in parts for row in part.rows.tolist()}
    assert joined.seen == sum(part.seen for part in parts)
    marked = sum(0 if part.aside is None else part.aside.sum() for part in parts)
    assert (0 if joined.aside is None else joined.aside.sum()) == marked


def test_judgements_that_nearly_all_questions_share_leave_most_of_the_test_side() -> None:
    grouped = linked(cranfield_like())
    placed = split(grouped, 0.2, 0.3, 0)
    found = unseen_side(placed, "test")
    assert placed.groups.tied > 120
    assert placed.facts()["questions_tied"] == placed.groups.tied
    assert found.seen > 0
    assert len(found.rows) > len(found.asked) / 2
    assert found.facts() == {
        "ground_truths_seen": found.seen,
        "questions_with_no_other": found.gone,
    }


def test_groups_that_are_whole_lose_nothing() -> None:
    placed = split(linked([[i // 2] for i in range(60)]), 0.2, 0.3, 0)
    for side in ("dev", "test"):
        found = unseen_side(placed, side)
        assert found.aside is None
        assert found.rows is found.asked or found.rows.tolist() == found.asked.tolist()
        assert found.facts() == {}
    assert "questions_tied" not in placed.facts()


def test_where_everything_was_seen_dev_chooses_by_all() -> None:
    found = unseen(linked([[0], [0, 1], [1]]).links, np.array([1, 2]), {0, 1})
    assert found.gone == 2
    assert found.facts() == {"ground_truths_seen": 3, "questions_with_no_other": 2}
    assert found.or_all.rows.tolist() == [1, 2]
    assert found.or_all.aside is None
    some = unseen(linked([[0], [0, 1], [1]]).links, np.array([1, 2]), {0})
    assert some.or_all is some


def test_groups_without_links_know_nothing_seen() -> None:
    folded = folds(Groups([f"c{i}" for i in range(40)], 0, 0), 4, 0)
    assert unseen_folds(folded).facts() == {}


@pytest.mark.parametrize(
    ("sides", "seen_chunks", "left"),
    [
        # Chunks that given sides share count on both. Whoever gives sides says what they measure.
        ({"train": ["q0000"], "dev": ["q0001"], "test": ["q0002"]}, {}, ([1], [2], 0)),
        # Unless chunks are named. Names of other chunks do not matter.
        (
            {"train": ["q0000"], "dev": ["q0001"], "test": ["q0002"]},
            {"test": ["c0000", "c9999"]},
            ([1], [2], 1),
        ),
        ({"train": ["q0000"], "dev": ["q0001"], "test": ["q0002"]}, {"test": ["c0000", "c0002"]},
         ([1], [], 2)),
    ],
)  # fmt: skip
def test_given_sides_are_measured_as_they_are_unless_chunks_are_named(
    sides: dict[str, list[str]], seen_chunks: dict[str, list[str]],
    left: tuple[list[int], list[int], int],
) -> None:  # fmt: skip
    placed = given_sides(linked([[0], [0, 1], [0, 2]]), sides, 0.2, 0, seen_chunks)
    dev, test = unseen_side(placed, "dev"), unseen_side(placed, "test")
    assert (dev.rows.tolist(), test.rows.tolist(), test.seen) == left


def test_a_dev_side_that_is_dealt_here_is_without_what_train_has() -> None:
    grouped = linked([[0, 1 + i // 2] for i in range(40)])
    ids = [f"q{i:04}" for i in range(40)]
    placed = given_sides(grouped, {"train": ids[:30], "test": ids[30:]}, 0.2, 0)
    dev, test = unseen_side(placed, "dev"), unseen_side(placed, "test")
    assert dev.seen == len(dev.rows) == len(dev.asked)
    assert test.facts() == {}
