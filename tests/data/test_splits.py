"""Splits: the shares of sides, groups that stay together, and groups that are cut."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import stage2
from stage2.data.splits import Groups, Links, folds, given_sides, group_questions, split
from stage2.utils import files
from stage2.utils.errors import BadInputError
from tests.conftest import Stage2
from tests.judgements import catalogue, cranfield_like, samples_of, unlike, write_questions
from tests.small import write_jsonl

SEEDS = range(20)


def linked(relevant: list[list[int]], wording: list[int] | None = None) -> Groups:
    """Group questions with these chunks, which are not near-duplicates."""
    count = 1 + max(chunk for row in relevant for chunk in row)
    links = Links(
        qa_ids=[f"q{i:04}" for i in range(len(relevant))],
        wording=wording or list(range(len(relevant))),
        chunks=relevant,
        alike=list(range(count)),
        names=[f"c{i:04}" for i in range(count)],
    )
    roots = list(range(len(relevant)))
    for chunk in range(count):
        rows = {roots[row] for row, chunks in enumerate(relevant) if chunk in chunks}
        roots = [min(rows) if root in rows else root for root in roots]
    return Groups([f"c{root:04}" for root in roots], 0, 0, links)


@pytest.mark.parametrize("made", [0, 1])
def test_shares_of_judgements_that_are_shared_come_out_under_every_seed(made: int) -> None:
    grouped = linked(cranfield_like(made))
    assert grouped.facts()["largest_group"] > 120
    orders = set()
    for seed in SEEDS:
        placed = split(grouped, 0.2, 0.3, seed)
        shares = [len(rows) / 225 for rows in placed.parts]
        assert np.abs(np.subtract(shares, [0.5, 0.2, 0.3])).max() <= 0.05
        assert sorted(np.concatenate(placed.parts).tolist()) == list(range(225))
        assert placed.facts()["rule"] == "cut"
        assert placed.groups.cut > 0
        orders.add(tuple(placed.parts[2]))
        sizes = [len(rows) for rows in folds(grouped, 5, seed).parts]
        assert min(sizes) >= 40
        assert max(sizes) <= 50
    assert len(orders) == len(SEEDS)


def test_a_cut_is_as_small_as_it_can_be_and_its_leaks_are_counted() -> None:
    # One chunk joins all questions. Without it there are pairs.
    relevant = [[0, 1 + i // 2] for i in range(40)]
    placed = split(linked(relevant), 0.2, 0.3, 0)
    assert placed.groups.cut == 1
    assert placed.groups.rule == "cut"
    train, dev, test = (set(rows.tolist()) for rows in placed.parts)
    assert all((row ^ 1) in side for side in (train, dev, test) for row in side)
    assert placed.leaked(placed.parts[0], placed.parts[2]) == {
        "same_chunk": len(test),
        "near_duplicate": 0,
    }


def test_questions_of_one_chunk_alone_are_split_by_question_and_one_wording_never() -> None:
    wording = [i - i % 4 for i in range(40)]
    placed = split(linked([[0]] * 40, wording), 0.2, 0.3, 0)
    assert placed.facts()["rule"] == "question"
    for rows in placed.parts:
        assert {row - row % 4 for row in rows.tolist()} == {row for row in rows if row % 4 == 0}
    assert [len(rows) for rows in placed.parts] == [20, 8, 12]


def test_the_same_ground_truths_stay_together_where_a_group_is_cut() -> None:
    # There are a hub and ten sets of eight questions each.
    placed = split(linked([[0, 1 + i // 8, 20 + i // 8] for i in range(80)]), 0.2, 0.3, 1)
    assert placed.groups.cut == 1
    assert {len({row // 8 for row in rows.tolist()}) * 8 - len(rows) for rows in placed.parts} == {
        0
    }


def test_groups_that_can_be_placed_are_not_cut_for_the_shares() -> None:
    # There are five paragraphs with four questions each.
    placed = split(linked([[i // 4] for i in range(20)]), 0.2, 0.3, 3)
    assert placed.groups.cut == 0
    assert placed.facts()["furthest_from_its_share"] == 0.1


def test_where_groups_fall_well_by_themselves_more_questions_move_none() -> None:
    few = linked([[i] for i in range(300)])
    more = linked([[i] for i in range(400)])
    seed = next(
        seed
        for seed in SEEDS
        if all(split(grouped, 0.2, 0.3, seed).error > 0.005 for grouped in (few, more))
    )
    for before, after in zip(
        split(few, 0.2, 0.3, seed).parts, split(more, 0.2, 0.3, seed).parts, strict=True
    ):
        assert set(before.tolist()) == {row for row in after.tolist() if row < 300}


def test_the_order_of_questions_changes_nothing() -> None:
    relevant = cranfield_like()
    order = np.random.default_rng(0).permutation(len(relevant)).tolist()
    grouped = linked(relevant)
    assert grouped.links is not None
    links = replace(
        grouped.links,
        qa_ids=[grouped.links.qa_ids[row] for row in order],
        chunks=[relevant[row] for row in order],
    )
    names = [grouped.names[row] for row in order]
    one, other = (split(each, 0.2, 0.3, 7) for each in (grouped, Groups(names, 0, 0, links)))
    for before, after in zip(one.parts, other.parts, strict=True):
        assert set(before.tolist()) == {order[row] for row in after.tolist()}


@pytest.mark.parametrize(
    ("relevant", "wording", "shares", "said"),
    [
        ([[0], [1]], None, (0.2, 0.3), "2 questions of 2 different wordings"),
        ([[0]] * 9, [0] * 9, (0.2, 0.3), "into train, dev, test; expected 3 or more"),
        ([[0]], None, (0.2, 0.0), "into train, dev; expected 2 or more"),
        ([[0], [1], [2]], None, (0.5, 0.5), "leave nothing to train on"),
    ],
)
def test_a_split_that_cannot_be_is_refused(
    relevant: list[list[int]], wording: list[int] | None, shares: tuple[float, float], said: str
) -> None:
    with pytest.raises(BadInputError, match=said):
        split(linked(relevant, wording), *shares, 0)


def test_sides_that_were_chosen_are_taken_and_their_leaks_known() -> None:
    grouped = linked([[0], [0], [1], [2]])
    sides = {"train": ["q0000", "q0003"], "dev": ["q0001", "q0002"]}
    placed = given_sides(grouped, sides, 0.2, 0)
    assert [rows.tolist() for rows in placed.parts] == [[0, 3], [1, 2], []]
    assert placed.groups.cut == 1
    assert len(set(placed.groups.names)) == 4
    assert placed.leaked(*placed.parts[:2])["same_chunk"] == 1
    assert placed.facts()["rule"] == "given"
    three = given_sides(grouped, {"train": ["q0000"], "dev": ["q0002"], "test": ["q0001"]}, 0.2, 0)
    assert [rows.tolist() for rows in three.parts] == [[0], [2], [1]]
    assert three.groups.cut == 1
    assert three.leaked(three.parts[0], three.parts[2])["same_chunk"] == 1


@pytest.mark.parametrize("name", ["train", "dev"])
def test_a_side_that_is_not_given_is_dealt_from_the_other(name: str) -> None:
    grouped = linked([[i // 2] for i in range(40)])
    ids = [f"q{i:04}" for i in range(40)]
    placed = given_sides(grouped, {name: ids[:30], "test": ids[30:]}, 0.2, 0)
    train, dev, test = (rows.tolist() for rows in placed.parts)
    assert sorted(train + dev) == [*range(30)]
    assert test == [*range(30, 40)]
    assert len(dev) == pytest.approx(6, abs=2)
    assert {row // 2 for row in train}.isdisjoint(row // 2 for row in dev)
    assert placed.groups.cut == 0


@pytest.mark.parametrize("name", ["train", "dev"])
def test_a_given_side_that_is_empty_is_refused(name: str) -> None:
    sides: dict[str, list[str]] = {"train": ["q0000"], "dev": ["q0001"], name: []}
    with pytest.raises(BadInputError, match=f"the {name} side of the given split has no question"):
        given_sides(linked([[0], [1]]), sides, 0.2, 0)


def test_a_catalogue_of_ten_thousand_articles_is_split(tmp_path: Path) -> None:
    grouped = group_questions(samples_of(tmp_path, catalogue(10_000), [[i] for i in range(10_000)]))
    assert grouped.facts()["largest_group"] <= 3
    placed = split(grouped, 0.2, 0.3, 0)
    assert placed.facts()["rule"] == "group"
    assert placed.error <= 0.05


def test_near_duplicates_that_cross_are_counted(tmp_path: Path) -> None:
    texts = unlike(20)
    copies = [text[:-2] + "犬猫" for text in texts[:6]]
    grouped = group_questions(samples_of(tmp_path, texts + copies, [[i] for i in range(26)]))
    assert grouped.facts()["near_duplicate_pairs"] == 6
    assert grouped.names[20:] == grouped.names[:6]
    seen, asked = np.arange(20), np.arange(20, 26)
    placed = split(grouped, 0.2, 0.3, 0)
    assert placed.leaked(seen, asked) == {"same_chunk": 0, "near_duplicate": 6}
    assert placed.leaked(placed.parts[0], placed.parts[2]) == {"same_chunk": 0, "near_duplicate": 0}


def test_twenty_questions_end_with_a_verdict_from_folds(
    stage2: Stage2, model_dir: Path, tmp_path: Path
) -> None:
    flags = write_questions(tmp_path, [[i] for i in range(20)])
    stage2("run", "--model", model_dir, *flags)
    out = tmp_path / "out"
    comparison = files.read_json(out / files.COMPARISON)
    assert comparison["verdict"]["set"] == "cross-validated"
    record = files.read_json(out / files.RUN)["split"]
    sides = [record[side] for side in ("train", "dev", "test")]
    assert np.abs(np.subtract(sides, [10, 4, 6])).max() <= 1
    assert sum(record["folds"]["sizes"]) == 20
    assert set(record["folds"]["sizes"]) <= {3, 4, 5}


def test_two_questions_are_refused_and_nothing_is_written(
    stage2: Stage2, model_dir: Path, tmp_path: Path
) -> None:
    flags = write_questions(tmp_path, [[0], [1]])
    result = stage2("run", "--model", model_dir, *flags, "--topk", 1, "--negatives", 1, exit_code=2)
    assert "cannot be split into train, dev, test; expected 3 or more" in result.stderr
    assert not (tmp_path / "out").exists()


def many(tmp_path: Path, links: list[list[int]]) -> stage2.Samples:
    # The chunks have nothing in common, since near-duplicates would join their questions.
    texts = [hashlib.sha256(bytes([i])).hexdigest() for i in range(60)]
    chunks = [{"chunk_id": str(i), "text": text} for i, text in enumerate(texts)]
    qa = [
        {"question": f"q {i}", "qa_id": str(i), "chunk_ids": [str(c) for c in dict.fromkeys(ids)]}
        for i, ids in enumerate(links)
    ]
    corpus = {
        "qa": write_jsonl(tmp_path / "qa.jsonl", qa),
        "chunks": write_jsonl(tmp_path / "chunks.jsonl", chunks),
    }
    return stage2.Dataset.load(**corpus).construct(5, 0)


links = st.lists(st.lists(st.integers(0, 39), min_size=1, max_size=3), min_size=30, max_size=60)


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
@given(links, st.integers(0, 5))
def test_questions_that_share_a_chunk_stay_together(
    tmp_path: Path, links: list[list[int]], seed: int
) -> None:
    try:
        placed = split(group_questions(many(tmp_path, links)), 0.2, 0.3, seed)
    except BadInputError:
        assume(False)
    sides = placed.parts
    assert sorted(np.concatenate(sides).tolist()) == list(range(len(links)))
    if placed.groups.cut:  # nearly all questions are in one group
        return
    chunks = [{chunk for row in rows for chunk in links[row]} for rows in sides]
    assert not chunks[0] & chunks[1]
    assert not chunks[0] & chunks[2]
    assert not chunks[1] & chunks[2]


def test_shares_must_leave_something_to_train_on(tmp_path: Path) -> None:
    samples = many(tmp_path, [[i] for i in range(10)])
    with pytest.raises(BadInputError, match="leave nothing to train on"):
        split(group_questions(samples), 0.5, 0.5, 0)
    with pytest.raises(BadInputError, match="cannot be split into train, dev"):
        split(group_questions(many(tmp_path, [[1]])), 0.2, 0, 1)
