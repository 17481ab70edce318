"""Every question is in one batch of an epoch, and similar questions share one if it is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stage2
from stage2.config import Settings
from stage2.encoding.encode import encode
from stage2.encoding.ranking_lists import RankingLists
from stage2.training.question_batches import (
    GROUP,
    neighbours_of,
    question_batches,
    similar_groups,
)
from stage2.utils import files
from tests.conftest import Stage2, data_flags, tree

SETTINGS = Settings(batch_size=7, seed=3, loss="in-batch", precision="fp32")


@pytest.mark.parametrize("loss", ["margin", "in-batch"])
def test_questions_of_one_chunk_are_dealt_to_different_batches(
    lists: RankingLists, loss: Any
) -> None:
    """If the batch's ground truths are the negatives; with other losses the order is random."""
    thrice = lists.subset(np.repeat(np.arange(len(lists)), 3))
    settings = replace(SETTINGS, loss=loss)
    first, again, second = (question_batches(thrice, settings, epoch, 6) for epoch in (1, 1, 2))
    assert sorted(np.concatenate(first)) == list(range(len(thrice)))
    assert max(map(len, first)) <= 7
    assert all(map(np.array_equal, first, again))
    assert not all(map(np.array_equal, first, second))
    repeats = [len(rows) - len(set(thrice.candidates[thrice.offsets[rows]])) for rows in first]
    assert np.bincount(thrice.candidates[thrice.offsets[:-1]]).max() == 6
    assert (sum(repeats) == 0) == (loss == "in-batch")


@given(
    count=st.integers(1, 40), depth=st.integers(1, 40), chunks=st.integers(1, 12),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_groups_are_those_of_the_plain_rule(count: int, depth: int, chunks: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    order, truths = random.permutation(count), random.integers(0, chunks, count)
    nearest = np.stack([random.permutation(count)[:depth] for _ in range(count)])
    expected, free = [], set(range(count))
    for first in order:
        if first in free:
            group = [first]
            for row in nearest[first]:
                known = {truths[member] for member in group}
                if row in free - set(group) and truths[row] not in known and len(group) < GROUP:
                    group.append(row)
            free -= set(group)
            expected.append(group)
    found = similar_groups(order, nearest, truths)
    assert [group.tolist() for group in found] == [list(map(int, group)) for group in expected]
    assert sorted(np.concatenate(found)) == list(range(count))


def test_similar_questions_share_a_batch(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists
) -> None:
    assert neighbours_of(model, lists, SETTINGS) is None
    assert neighbours_of(model, lists, replace(SETTINGS, batches="similar", loss="margin")) is None
    nearest = neighbours_of(model, lists, replace(SETTINGS, batches="similar"))
    assert nearest is not None
    vectors = encode(model, lists.question_texts, role="query", precision="fp32").mu
    scores = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    assert np.allclose(np.take_along_axis(scores, nearest, 1), -np.sort(-scores, 1), atol=1e-6)
    found = question_batches(lists, SETTINGS, 1, 2, nearest)
    assert sorted(np.concatenate(found)) == list(range(len(lists)))
    assert [len(rows) for rows in found] == [6, 6]
    again, second = (question_batches(lists, SETTINGS, epoch, 2, nearest) for epoch in (1, 2))
    assert all(map(np.array_equal, found, again))
    assert not all(map(np.array_equal, found, second))


def test_similar_batches_teach_something_else_and_the_same_each_time(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--model", model_dir, *data_flags(corpus), "--epochs", 1, "--batch-size", 3,
             "--split", "none", "--folds", 0, "--precision", "fp32"]  # fmt: skip
    epochs = {}
    for name, how in {"one": "similar", "two": "similar", "random": "random"}.items():
        stage2("run", *flags, "--batches", how, "--output-dir", tmp_path / name)
        epochs[name] = tree(tmp_path / name / files.CHECKPOINTS)["epoch_1.pt"]
    assert epochs["one"] == epochs["two"] != epochs["random"]
    result = stage2("run", *flags, "--batches", "similar", "--loss", "margin", exit_code=2)
    assert "--batches similar has no effect here: it works with --loss" in result.stderr
