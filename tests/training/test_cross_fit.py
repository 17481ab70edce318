"""Where dev questions prefer stage 1, the questions trained on are asked too, unseen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stage2.report.model_choice import shipped
from stage2.training import cross_fit, model_selection
from stage2.training.dev_evidence import undecided
from stage2.training.guard import Judgement
from stage2.training.model_selection import Candidate, by_all_questions
from stage2.utils import files
from tests.conftest import Stage2, data_flags, tree

STAGE1 = Candidate("stage 1", "stage1", 0, 0.0, 0.9)
FIRST = Candidate("epoch 1", "epoch", 1, 1.0, 0.8)
LAST = Candidate("epoch 2", "epoch", 2, 1.0, 0.7)
ORDERED = [STAGE1, FIRST, LAST]
# The dev questions prefer stage 1: by the last epoch, by stage 1.
DEV = np.array([0.5, 0.5, 1.0]), np.array([1.0, 1.0, 1.0])


def others(count: int, change: float) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the reciprocal ranks of questions that all change alike."""
    before = np.full(count, 0.5)
    return before + change, before


def test_all_questions_may_prefer_the_last_epoch_where_dev_questions_do_not() -> None:
    found = by_all_questions(ORDERED, DEV, others(97, 0.1))
    assert [one.name for one in found] == ["epoch 2", "stage 1", "epoch 1"]
    told = found[0].by_all
    assert told is not None
    assert told.questions == 100
    assert told.before == pytest.approx((3 + 97 * 0.5) / 100)
    assert told.after == pytest.approx((2 + 97 * 0.6) / 100)
    change = np.concatenate([[-0.5, -0.5, 0], np.full(97, 0.1)])
    assert told.standard_error == pytest.approx(change.std(ddof=1) / 10)
    assert (found[0].even_with, found[0].standard_error) == ("stage 1", told.standard_error)
    reason = shipped(found, held_out=True, refit_on=100)["reason"]
    assert "the dev questions prefer stage 1, but they are few" in reason["en"]
    assert "all 100 questions of the training and the dev side" in reason["en"]
    assert "MRR 0.6020 after epoch 2, and 0.5150 by stage 1; then" in reason["en"]
    assert "全部 100 个问题" in reason["zh"]


def test_what_all_questions_cannot_tell_from_stage_1_is_chosen_too() -> None:
    found = by_all_questions(ORDERED, DEV, others(97, 0.0))
    assert found[0].name == "epoch 2"
    reason = shipped(found, held_out=True, refit_on=100)["reason"]
    assert "which is within 1.645 standard errors of 0.0070: they do not tell" in reason["en"]
    assert "1.645 个标准误（0.0070）" in reason["zh"]


def test_a_loss_that_all_questions_see_leaves_stage_1() -> None:
    found = by_all_questions(ORDERED, DEV, others(97, -0.1))
    assert [one.name for one in found] == ["stage 1", "epoch 1", "epoch 2"]
    assert found[2].by_all is not None
    reason = shipped(found, held_out=True)["reason"]
    assert reason["en"].startswith("the highest dev MRR (0.9000) of 3 candidates")
    assert "MRR 0.4080 after epoch 2, and 0.5150 by stage 1" in reason["en"]
    assert "1.645" not in reason["en"]


def never(*_: Any) -> Any:
    raise AssertionError


# Weights that do not change rank as stage 1 does, which comes first of equals.
FLAGS = ["--epochs", 2, "--learning-rate", 1e-12, "--folds", 0, "--precision", "fp32"]


@pytest.fixture
def dev_is_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the few dev questions tell equal models apart, which prefers stage 1."""

    def only_many(after: Any, before: Any) -> float | None:
        return None if len(after) < 5 else undecided(after, before)

    monkeypatch.setattr(model_selection, "undecided", only_many)


def words(corpus: dict[str, Path], model_dir: Path, out: Path) -> list[Any]:
    return ["run", "--model", model_dir, *data_flags(corpus), *FLAGS, "--output-dir", out]


@pytest.mark.usefixtures("dev_is_sure")
def test_no_question_is_scored_by_a_model_that_saw_it(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    trained_on: list[set[str]] = []
    scored: list[set[str]] = []
    train, dev_ranking = cross_fit.train, cross_fit.dev_ranking

    def spy_train(model: Any, lists: Any, *rest: Any) -> Any:
        trained_on.append(set(lists.qa_ids))
        return train(model, lists, *rest)

    def spy_ranking(model: Any, lists: Any, *rest: Any, **more: Any) -> Any:
        scored.append(set(lists.qa_ids))
        return dev_ranking(model, lists, *rest, **more)

    monkeypatch.setattr(cross_fit, "train", spy_train)
    monkeypatch.setattr(cross_fit, "dev_ranking", spy_ranking)
    out = tmp_path / "out"
    result = stage2(*words(corpus, model_dir, out))
    assert "asking the questions trained on too" in result.stderr
    split = files.read_json(out / files.SPLIT)
    assert len(trained_on) == len(scored) > 1
    for saw, asked in zip(trained_on, scored, strict=True):
        assert not saw & asked
        assert saw >= set(split["dev"])
        assert not saw & set(split["test"])
    assert set().union(*scored) <= set(split["train"])
    assert sum(map(len, scored)) == len(set().union(*scored))
    record = files.read_json(out / files.RUN)["shipped"]
    assert (record["name"], record["candidates"][0]["even_with"]) == (
        "epoch 2, refitted",
        "stage 1",
    )
    told = record["candidates"][0]["by_all"]
    assert told["questions"] == len(split["dev"]) + len(set().union(*scored))
    assert told["after"] == pytest.approx(told["before"])
    assert not (out / files.CROSS_FIT).exists()


@pytest.mark.usefixtures("dev_is_sure")
def test_a_run_that_is_stopped_goes_on_with_its_fold(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    stage2(*words(corpus, model_dir, tmp_path / "whole"))
    calls: list[int] = []
    train = cross_fit.train

    def stopped(*arguments: Any) -> Any:
        calls.append(len(calls))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train(*arguments)

    monkeypatch.setattr(cross_fit, "train", stopped)
    stage2(*words(corpus, model_dir, tmp_path / "out"), exit_code=1)
    first = tmp_path / "out" / files.CROSS_FIT / "fold-1"
    assert [path.name for path in first.iterdir() if path.is_file()].count(files.FOLD_RANKS) == 1
    stage2(*words(corpus, model_dir, tmp_path / "out"))
    # The first fold is not trained again.
    folds = len(calls) - 1
    monkeypatch.setattr(cross_fit, "train", train)
    expected, found = tree(tmp_path / "whole"), tree(tmp_path / "out")
    assert expected.keys() == found.keys()
    telling = {files.REPORT, files.PAGE, files.REPORT_JSON, files.RUN, files.SETTINGS,
               files.TRAINING_LOG}  # fmt: skip
    assert {name for name in expected if expected[name] != found[name]} <= telling
    assert 1 < folds <= cross_fit.FOLDS


@pytest.mark.usefixtures("dev_is_sure")
def test_nobody_is_asked_about_an_epoch_that_a_guard_calls_worse(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    worse = Judgement("wiki", 0.9, 0.5, -0.5, -0.3, "worse")
    monkeypatch.setattr(cross_fit, "train", never)
    monkeypatch.setattr(model_selection, "judgements", lambda *_: (worse,))
    stage2(*words(corpus, model_dir, tmp_path / "out"))
    record = files.read_json(tmp_path / "out" / files.RUN)["shipped"]
    assert record["name"] == "stage 1"
    (last,) = [one for one in record["candidates"] if one["name"] == "epoch 2"]
    assert last["guards"][0]["verdict"] == "worse"


def test_dev_questions_that_choose_the_last_epoch_ask_nobody(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(cross_fit, "train", never)
    result = stage2(*words(corpus, model_dir, tmp_path / "out"))
    assert "asking the questions" not in result.stderr
    record = files.read_json(tmp_path / "out" / files.RUN)["shipped"]
    assert record["candidates"][0]["by_all"] is None


def test_the_last_epoch_is_the_latest_one_that_is_there() -> None:
    found = by_all_questions([STAGE1, LAST, replace(FIRST, epoch=1.5)], DEV, others(97, 0.1))
    assert found[0].epoch == 2
