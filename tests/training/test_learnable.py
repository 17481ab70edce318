"""A training that can teach nothing is refused or reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stage2.config import Settings
from stage2.encoding.ranking_lists import RankingLists
from stage2.encoding.tokens import LazyTokens
from stage2.training.learnable import (
    Diagnosis,
    check_learnable,
    check_texts_to_learn,
    diagnose,
    without_negative,
)
from stage2.training.log import EpochLog
from stage2.utils import files
from stage2.utils.errors import BadInputError
from tests.conftest import Stage2, data_flags, read_jsonl
from tests.small import write_jsonl

IN_BATCH = Settings(loss="in-batch")


def lists_of(*questions: tuple[list[int], list[int]]) -> RankingLists:
    """Make lists from the relevant and the irrelevant texts of each question."""
    flat = np.asarray([text for right, wrong in questions for text in (*right, *wrong)], np.int64)
    lengths = [len(right) + len(wrong) for right, wrong in questions]
    texts = [f"text {number}" for number in range(1 + int(flat.max()))]
    return RankingLists(
        tokens=LazyTokens(texts, [()] * len(texts), lambda *_: pytest.fail("no token is needed")),
        qa_ids=[str(i) for i in range(len(questions))],
        questions=np.arange(100, 100 + len(questions)),
        candidates=flat,
        contexts=flat,
        offsets=np.cumsum([0, *lengths]).astype(np.int64),
        num_relevant=np.asarray([len(right) for right, _ in questions], np.int64),
        tie_keys=flat,
        corpus=np.empty(0, np.int64),
    )


def test_a_question_alone_in_its_step_has_no_negative() -> None:
    lists = lists_of(([1], []), ([2], []), ([1], []), ([1, 2], []))
    steps: list[tuple[list[list[int]], int]] = [
        ([[0], [1]], 2),
        ([[0, 1]], 0),
        ([[0, 2]], 2),
        ([[0, 1, 3]], 1),
        ([[0, 1], [3]], 1),
    ]
    for rows, expected in steps:
        parts = [np.asarray(part) for part in rows]
        assert without_negative(lists, parts, IN_BATCH) == expected


def test_a_list_of_ground_truths_alone_has_no_negative() -> None:
    lists = lists_of(([1], []), ([1, 2], []), ([1], [3]))
    rows = [np.arange(3)]
    for loss, expected in (
        ("triplet", 2),
        ("margin-mse", 2),
        ("listnet", 2),
        ("distill-kl", 2),
        ("margin", 1),
    ):
        assert without_negative(lists, rows, Settings(loss=loss)) == expected
    graded = Settings(loss="margin", pairs="graded")
    assert without_negative(lists, rows, graded) == 2
    assert without_negative(lists, rows, Settings(loss="infonce")) == 0


def test_what_is_known_beforehand_is_refused() -> None:
    for accumulate in (1, 8):
        with pytest.raises(BadInputError, match="--batch-size 1"):
            check_learnable(replace(IN_BATCH, batch_size=1, accumulate=accumulate))
    check_learnable(replace(IN_BATCH, batch_size=2))
    check_learnable(Settings(loss="margin", batch_size=1))
    with pytest.raises(BadInputError, match="2 questions to train on are all answered by the same"):
        check_texts_to_learn(IN_BATCH, [["a"], ["a"]])
    check_texts_to_learn(IN_BATCH, [["a"], ["a", "b"]])
    check_texts_to_learn(Settings(loss="margin"), [["a"], ["a"]])


def row(epoch: int, loss: float | None, without: int = 0) -> EpochLog:
    return EpochLog(epoch, loss, 0.0, 0.0, {"mrr": 0.5}, 8, without)


def test_a_training_that_taught_nothing_is_found() -> None:
    one, other = {"w": torch.zeros(2)}, {"w": torch.ones(2)}
    log = [row(0, None), row(1, 0.3), row(2, 0.2)]
    fine = Diagnosis(questions=8)
    assert diagnose(log, one, other) == diagnose(log, one, None) == fine
    assert diagnose(log, one, one) == replace(fine, same_weights=True)
    still = [row(0, None), row(1, 0.0)]
    assert diagnose(still, one, other) == replace(fine, zero_loss=True)
    alone = [row(0, None), row(1, 0.1, 3)]
    assert diagnose(alone, one, other) == replace(fine, without_negative=3)


def one_chunk(corpus: dict[str, Path], path: Path) -> dict[str, Path]:
    rows = [question | {"chunk_id": "c00"} for question in read_jsonl(corpus["qa"])]
    return corpus | {"qa": write_jsonl(path, rows)}


REFUSED: list[tuple[list[object], Callable[[dict[str, Path], Path], dict[str, Path]], str]] = [
    (["--batch-size", 1], lambda corpus, _: corpus, "--batch-size 1"),
    (["--split", "none"], one_chunk, "all answered by the same text"),
]


@pytest.mark.parametrize(("flags", "data", "said"), REFUSED, ids=["one a step", "one chunk"])
def test_run_refuses_it_before_anything_is_written(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    flags: list[object], data: Callable[[dict[str, Path], Path], dict[str, Path]], said: str,
) -> None:  # fmt: skip
    found = data_flags(data(corpus, tmp_path / "qa.jsonl"))
    assert said in stage2("run", *found, "--model", model_dir, *flags, exit_code=2).stderr
    assert not (tmp_path / "out").exists()


def test_run_says_it_where_it_shows(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--learning-rate", 0, "--split", "none", "--folds", 0, "--epochs", 1]
    done = stage2("run", *data_flags(corpus), "--model", model_dir, *flags, "--batch-size", 11)
    assert "warning: epoch 1: " not in done.stderr
    assert "warning: training changed no weight" in done.stderr
    out = tmp_path / "out"
    reason = json.loads((out / files.RUN).read_text())["shipped"]["reason"]
    assert "training changed no weight" in reason["en"]
    assert "training changed no weight" in (out / files.REPORT).read_text()
    assert [entry["without_negative"] for entry in read_jsonl(out / files.TRAINING_LOG)] == [0, 0]
