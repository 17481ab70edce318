"""Negatives of a second source beside those of the model, against slow twins."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2.config import Settings
from stage2.encoding.vectors import without_entities
from stage2.evaluation.run_ranks import RunScores
from stage2.mining.corpus import Problem, mine_without
from stage2.mining.hard_negatives import Positives
from stage2.mining.second_source import (
    MODEL,
    Bm25Source,
    RunSource,
    check_shares,
    shares,
    source_rows,
)
from stage2.utils.arrays import Ints, Mask
from stage2.utils.errors import BadInputError
from tests.reference.bm25 import bm25, bm25_tokens
from tests.reference.second_source import choose

QUESTIONS, CHUNKS = 5, 14
KEYS = [f"q{i}" for i in range(QUESTIONS)]


@st.composite
def problems(draw: Any) -> dict[str, Any]:
    """Ground truths, texts, held-out chunks, another system's order, and rules."""
    chunk = st.integers(0, CHUNKS - 1)
    group = draw(st.lists(st.integers(0, 11), min_size=CHUNKS, max_size=CHUNKS))
    truths = [draw(st.sets(chunk, min_size=1, max_size=2)) for _ in KEYS]
    answers = {group[row] for own in truths for row in own}
    closed = {row for row in draw(st.sets(chunk, max_size=4)) if group[row] not in answers}
    negatives = draw(st.integers(1, 5))
    share = draw(st.sampled_from([0.25, 0.5, 1.0]))
    return {
        "group": group,
        "truths": truths,
        "closed": closed,
        "orders": [draw(st.lists(chunk, max_size=CHUNKS, unique=True)) for _ in KEYS],
        "negatives": negatives,
        "share": share,
        "rules": {
            "absolute_margin": draw(st.sampled_from([None, 0.0, 0.5])),
            "range_min": draw(st.integers(0, 2)),
        },
        "seed": draw(st.integers(0, 2**16)),
    }


class Orders:
    """A source that has an order of its own."""

    name = "other"

    def __init__(self, orders: dict[str, list[int]]) -> None:
        self.orders = orders

    def nearest(self, key: str, allowed: Mask, depth: int) -> Ints:
        rows = [row for row in self.orders[key] if allowed[row]]
        return np.asarray(rows[:depth], np.int64)


@given(problems())
def test_both_sources_give_what_the_slow_twin_chooses(one: dict[str, Any]) -> None:
    generator = np.random.default_rng(one["seed"])
    # Small halves make ties, and sums of them are exact.
    questions = (generator.integers(-2, 3, (QUESTIONS, 3)) / 2).astype(np.float32)
    chunks = (generator.integers(-2, 3, (CHUNKS, 3)) / 2).astype(np.float32)
    offsets = np.cumsum([0, *(len(own) for own in one["truths"])])
    rows = np.asarray([row for own in one["truths"] for row in sorted(own)], np.int64)
    problem = Problem(
        without_entities(questions), without_entities(chunks), Positives(rows, offsets),
        np.asarray(one["group"], np.int64), KEYS,
    )  # fmt: skip
    settings = Settings(
        source="corpus", negatives=one["negatives"], second_share=one["share"], **one["rules"]
    )
    closed = np.isin(np.arange(CHUNKS), list(one["closed"]))
    second = Orders(dict(zip(KEYS, one["orders"], strict=True)))
    found = mine_without(problem, settings, closed, second)
    counts = shares(one["negatives"], one["share"])
    # Without a share a source gives nothing; such settings are refused before.
    rules = {"max_score": None, "min_score": None, "relative_margin": None, "seed": None}
    rules |= one["rules"]
    for i, own in enumerate(one["truths"]):
        part = slice(found.offsets[i], found.offsets[i + 1])
        got = list(zip(found.rows[part].tolist(), found.seconds[part].tolist(), strict=True))
        if not counts[1]:
            continue
        wanted = choose(
            questions[i] @ chunks.T, one["orders"][i], own, one["group"], one["closed"], counts,
            rules,
        )  # fmt: skip
        assert got == wanted


def test_bm25_finds_what_its_slow_twin_scores_highest() -> None:
    questions = ["red apple", "green pear tree", "nothing here"]
    texts = ["a red red apple", "an apple tree", "pear", "green green", "apple", "apple", "stone"]
    source = Bm25Source(KEYS[:3], questions, texts)
    allowed = np.ones(len(texts), np.bool_)
    allowed[0] = False
    for key, question in zip(KEYS, questions, strict=False):
        scores = bm25(bm25_tokens(question), [bm25_tokens(text) for text in texts])
        order = sorted(range(len(texts)), key=lambda row: (-np.float32(scores[row]), row))
        wanted = [row for row in order if scores[row] > 0 and allowed[row]]
        for depth in range(1, len(texts) + 1):
            assert source.nearest(key, allowed, depth).tolist() == wanted[:depth]
    assert source.name == "bm25"


def test_a_run_gives_its_best_first_and_of_equals_the_lower_place() -> None:
    run = RunScores([np.array([5, 2, 7, 1])], [np.array([1, 3, 3, 0.5], np.float32)])
    source = RunSource("engine.txt", ["q"], run)
    allowed = np.ones(8, np.bool_)
    assert source.nearest("q", allowed, 9).tolist() == [2, 7, 5, 1]
    allowed[7] = False
    assert source.nearest("q", allowed, 2).tolist() == [2, 5]


@pytest.mark.parametrize(
    ("negatives", "share", "counts"),
    [(5, 0.5, (2, 3)), (4, 0.5, (2, 2)), (1, 0.5, (0, 1)), (1, 1.0, (0, 1)), (10, 0.2, (8, 2))],
)
def test_shares_are_rounded_halves_upwards(
    negatives: int, share: float, counts: tuple[int, int]
) -> None:
    assert shares(negatives, share) == counts


def test_a_share_that_leaves_a_source_without_negatives_is_refused() -> None:
    settings = Settings(negatives=1, second_source="bm25")
    with pytest.raises(BadInputError, match="leaves none for the model; expected more --negatives"):
        check_shares(settings)
    with pytest.raises(BadInputError, match="leaves none for --second-source"):
        check_shares(replace(settings, second_share=0.2))
    check_shares(replace(settings, second_share=1.0))
    check_shares(Settings(negatives=1))


def test_each_negative_has_the_name_of_its_source() -> None:
    problem = Problem(
        without_entities(np.eye(2, 3, dtype=np.float32)),
        without_entities(np.eye(4, 3, dtype=np.float32)),
        Positives(np.array([0, 1]), np.array([0, 1, 2])),
        np.arange(4),
        ["a", "b"],
    )
    settings = Settings(negatives=2, second_share=0.5)
    second = Orders({"a": [3, 2, 1], "b": []})
    found = mine_without(problem, settings, np.zeros(4, np.bool_), second)
    rows = source_rows(["a", "b"], found, ["c0", "c1", "c2", "c3"], second)
    assert [row["qa_id"] for row in rows] == ["a", "b"]
    assert rows[0]["negative_chunk_ids"] == ["c1", "c3"]
    assert rows[0]["sources"] == [MODEL, "other"]
    # A source that finds nothing leaves a shorter list.
    assert Counter(rows[1]["sources"]) == {MODEL: 1}
