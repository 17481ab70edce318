"""Hard negatives of a corpus: the search in tiles, the rules and the ranks."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stage2
from stage2 import _core
from stage2.mining.hard_negatives import Positives, Rules, mine_negatives
from tests import reference
from tests.conftest import read_jsonl
from tests.small import write_jsonl

LIMIT = st.none() | st.sampled_from([-0.5, 0.0, 0.1, 0.25, 0.5])


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    size, count = draw(st.integers(1, 12)), draw(st.integers(0, 4))
    width = draw(st.integers(1, size))
    score = st.sampled_from(np.linspace(-1, 1, 9, dtype=np.float32).tolist())
    rows, scores, positives = [], [], []
    for _ in range(count):
        rows.append(draw(st.permutations(range(size)))[:width])
        scores.append(sorted(draw(st.lists(score, min_size=width, max_size=width)), reverse=True))
        own = draw(st.lists(st.integers(0, size - 1), max_size=3, unique=True))
        positives.append({row: np.float32(draw(score)) for row in own})
    start = draw(st.integers(0, 4))
    return {
        "rows": rows,
        "scores": scores,
        "positives": positives,
        "groups": draw(st.none() | st.lists(st.integers(0, 3), min_size=size, max_size=size)),
        "width": width,
        "rules": {
            "negatives": draw(st.integers(1, 4)),
            "range_min": start,
            "range_max": start + draw(st.integers(1, 8)),
            "absolute_margin": draw(LIMIT),
            "relative_margin": draw(LIMIT),
            "max_score": draw(LIMIT),
            "min_score": draw(LIMIT),
            "seed": draw(st.none() | st.integers(0, 5)),
        },
    }


@given(questions())
def test_the_rules_choose_what_the_obvious_version_chooses(case: dict[str, Any]) -> None:
    rows = np.array(case["rows"], np.int64).reshape(-1, case["width"])
    scores = np.array(case["scores"], np.float32).reshape(-1, case["width"])
    positives, groups = case["positives"], case["groups"]
    keys = [f"q{i}" for i in range(len(rows))]
    chosen, chosen_scores, offsets = _core.select_negatives(
        (rows, scores),
        (
            np.array([row for own in positives for row in own], np.int64),
            np.array([score for own in positives for score in own.values()], np.float32),
            np.cumsum([0, *map(len, positives)], dtype=np.int64),
        ),
        None if groups is None else np.array(groups, np.int64),
        keys,
        case["rules"],
    )
    for i, key in enumerate(keys):
        expected = reference.select_negatives(
            rows[i].tolist(),
            list(scores[i]),
            positives[i],
            lambda row: row if groups is None else groups[row],
            key,
            case["rules"],
        )
        part = slice(offsets[i], offsets[i + 1])
        assert chosen[part].tolist() == expected
        by_row = dict(zip(rows[i].tolist(), scores[i].tolist(), strict=True))
        assert chosen_scores[part].tolist() == [by_row[row] for row in expected]


MINE = """
import sys
import numpy as np
import stage2

folder, budget = sys.argv[1], int(sys.argv[2])
questions, corpus = (np.load(f"{folder}/{name}.npy", mmap_mode="r") for name in ("q", "c"))
positives = stage2.Positives(np.arange(len(questions)), np.arange(len(questions) + 1))
for sampling in ("top", "random"):
    rules = stage2.Rules(negatives=4, range_max=30, absolute_margin=0.0, sampling=sampling, seed=5)
    mined = stage2.mine_negatives(questions, corpus, positives, rules, memory_budget=budget)
    for part in (mined.rows, mined.offsets, mined.nearest.rows, mined.nearest.scores):
        sys.stdout.buffer.write(part.tobytes())
"""


def test_threads_and_memory_change_no_byte(tmp_path: Path) -> None:
    """The corpus does not fit 64 MB as float32, and has many equal scores."""
    random = np.random.default_rng(0)
    corpus = random.integers(-3, 4, (600_000, 32)).astype(np.float64)
    np.save(tmp_path / "c.npy", corpus)
    np.save(tmp_path / "q.npy", random.integers(-3, 4, (40, 32)).astype(np.float32))
    mined = {
        subprocess.run(
            [sys.executable, "-c", MINE, tmp_path, str(megabytes * 10**6)],
            env={**os.environ, "RAYON_NUM_THREADS": str(threads)},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        for threads, megabytes in ((1, 64), (2, 64), (7, 64), (1, 4000), (7, 4000))
    }
    assert len(mined) == 1
    assert len(mined.pop()) > 2 * 40 * 30 * 12


def lists(rows: Sequence[Sequence[int]]) -> Positives:
    flat = [row for own in rows for row in own]
    return Positives(np.array(flat, np.int64), np.cumsum([0, *map(len, rows)], dtype=np.int64))


def test_hard_negatives_are_the_best_that_are_no_positive() -> None:
    corpus = np.array([[9], [8], [8], [7], [6], [5], [4], [3]], np.float32)
    queries = np.ones((2, 1), np.float32)
    positives = lists([[0], [1, 4]])
    groups = np.array([0, 1, 1, 3, 4, 5, 6, 7])
    mined = mine_negatives(queries, corpus, positives, Rules(negatives=2), groups=groups)
    assert mined.rows.tolist() == [1, 2, 0, 3]
    assert mined.scores.tolist() == [8, 8, 9, 7]
    assert mined.offsets.tolist() == [0, 2, 4]
    assert mined.positive_scores.tolist() == [9, 8, 6]
    kept_away = Rules(negatives=3, absolute_margin=2)
    mined = mine_negatives(queries, corpus, positives, kept_away, groups=groups)
    assert mined.rows.tolist() == [3, 4, 5, 6, 7]  # the lowest positive decides: 6 − 2
    assert mined.counts.tolist() == [3, 2]


def test_a_draw_depends_on_the_seed_and_the_key_alone() -> None:
    random = np.random.default_rng(5)
    queries, corpus = (random.standard_normal((n, 6), dtype=np.float32) for n in (12, 300))
    keys = [f"q{i}" for i in range(12)]
    positives = lists([[i] for i in range(12)])
    rules = Rules(negatives=4, sampling="random", seed=3)
    mined = mine_negatives(queries, corpus, positives, rules, keys=keys)
    backwards = mine_negatives(
        queries[::-1], corpus, lists([[i] for i in reversed(range(12))]), rules, keys=keys[::-1]
    )
    rows = mined.rows.reshape(12, 4)
    np.testing.assert_array_equal(rows[::-1], backwards.rows.reshape(12, 4))
    other = mine_negatives(queries, corpus, positives, replace(rules, seed=4), keys=keys)
    assert not np.array_equal(mined.rows, other.rows)
    top = mine_negatives(queries, corpus, positives, Rules(negatives=4), keys=keys)
    assert not np.array_equal(mined.rows, top.rows)


def test_the_window_defaults_to_what_is_asked_for_or_ten_times_that() -> None:
    assert Rules(negatives=3, range_min=2).end == 5
    assert Rules(negatives=3, range_min=2, max_score=0.5).end == 32
    assert Rules(negatives=3, sampling="random").end == 30
    assert Rules(negatives=3, sampling="random", range_max=7).end == 7


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (Rules(negatives=0), "expected 1 or more"),
        (Rules(range_min=4, range_max=4), "--range-max above it"),
        (Rules(sampling="best"), "expected top or random"),  # type: ignore[arg-type]
    ],
)
def test_rules_that_choose_nothing_are_refused(rules: Rules, said: str) -> None:
    vectors = np.ones((3, 2), np.float32)
    with pytest.raises(stage2.BadInputError, match=said):
        mine_negatives(vectors, vectors, lists([[0], [1], [2]]), rules)


@given(st.lists(st.text("ab \t\u2003", min_size=1).filter(str.strip), min_size=1, max_size=20))
def test_texts_that_differ_in_white_space_are_of_one_group(texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chunks = [{"chunk_id": i, "text": text} for i, text in enumerate(texts)]
        qa = [{"question": "?", "chunk_id": 0}]
        dataset = stage2.Dataset.load(
            write_jsonl(folder / "qa", qa), write_jsonl(folder / "chunks", chunks)
        )
    words = [text.split() for text in texts]
    assert dataset.first_of_text.tolist() == [words.index(own) for own in words]


def test_samples_of_given_negatives(corpus: dict[str, Path], tmp_path: Path) -> None:
    dataset = stage2.Dataset.load(corpus["qa"], corpus["chunks"])
    negatives = np.array([19, 18, 17], np.int64)
    offsets = np.array([0, 2, 2, 3, *[3] * 9], np.int64)
    samples = dataset.with_negatives(negatives, offsets)
    assert samples.candidates[:6].tolist() == [0, 19, 18, 1, 2, 17]
    assert samples.offsets[:4].tolist() == [0, 3, 4, 6]
    samples.write_jsonl(tmp_path / "samples.jsonl", np.arange(2))
    rows = read_jsonl(tmp_path / "samples.jsonl")
    assert [row["negative_chunk_ids"] for row in rows] == [["c19", "c18"], []]
    with pytest.raises(ValueError, match="expected 13 rising numbers from 0 to 3"):
        dataset.with_negatives(negatives, offsets[:-1])
    with pytest.raises(ValueError, match="no chunk 20"):
        dataset.with_negatives(negatives + 1, offsets)
