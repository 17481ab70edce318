"""A teacher is asked once, and what it said is used as it is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stage2.cli import taught as module
from stage2.cli.commands import run as run_module
from stage2.cli.commands import train as train_module
from stage2.config import Settings
from stage2.data.splits import Groups, Placed
from stage2.models.cross_encoder import CrossEncoder
from stage2.utils import files
from stage2.utils.errors import RunFailedError
from tests.conftest import Stage2, data_flags, read_jsonl, tree
from tests.teaching import make_judge, with_scores_of, write_mined

FLAGS = ["--split", "none", "--epochs", 1, "--precision", "fp32", "--batch-size", 4,
         "--learning-rate", 1e-3]  # fmt: skip


@pytest.fixture(scope="module")
def judge(backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_judge(backbone, tmp_path_factory.mktemp("judge") / "model")


@pytest.fixture
def mined(tmp_path: Path) -> Path:
    return write_mined(tmp_path / "mined.jsonl")


def test_scores_of_a_file_teach_what_those_of_the_model_do(
    stage2: Stage2, mined: Path, model_dir: Path, judge: Path, tmp_path: Path
) -> None:
    flags = ["--model", model_dir, *FLAGS, "--loss", "margin-mse"]
    asked, told = tmp_path / "asked", tmp_path / "told"
    said = stage2("train", "--data", mined, *flags, "--teacher", judge, "--output-dir", asked)
    assert "(cross-encoder), ranks a ground truth first for" in said.stderr
    rows = read_jsonl(asked / files.TEACHER_SCORES)
    assert (
        [len(row["scores"]) for row in rows] == [len(row["chunk_ids"]) for row in rows] == [4] * 8
    )
    texts = read_jsonl(mined)
    scorer = CrossEncoder.load(str(judge), torch.device("cpu"))
    right = [
        scorer.score([row["query"]] * 4, [*row["pos"], *row["neg"]], precision="fp32")
        for row in texts
    ]
    assert np.asarray([row["scores"] for row in rows]) == pytest.approx(np.asarray(right), abs=1e-4)
    assert np.ptp(right) > 0.1
    record = files.read_json(asked / files.RUN)
    assert record["files"][files.TEACHER_SCORES]["sha256"] == record["teacher"]["sha256"]
    facts = {name: record["teacher"][name] for name in ("kind", "questions", "pairs", "one_score")}
    assert facts == {"kind": "cross-encoder", "questions": 8, "pairs": 32, "one_score": 0}
    assert (
        record["stages"]["train"]["made_from"]["teacher"]
        == record["teacher"]["made_from"]["teacher"]
    )

    scored = with_scores_of(asked, mined, tmp_path / "scored.jsonl")
    stage2("train", "--data", scored, *flags, "--teacher", "data", "--output-dir", told)
    assert read_jsonl(told / files.TEACHER_SCORES) == rows
    assert tree(told / files.SHIPPED_MODEL) == tree(asked / files.SHIPPED_MODEL)
    assert tree(told / files.CHECKPOINTS) == tree(asked / files.CHECKPOINTS)


@pytest.mark.parametrize("loss", ["distill-kl", "similarity-mse"])
def test_an_interrupted_run_does_not_ask_again_and_ends_the_same(
    stage2: Stage2, mined: Path, model_dir: Path, judge: Path, backbone: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, loss: str,
) -> None:  # fmt: skip
    teacher = judge if loss == "distill-kl" else backbone
    flags = ["train", "--data", mined, "--model", model_dir, *FLAGS, "--loss", loss,
             "--teacher", teacher]  # fmt: skip
    whole, out = tmp_path / "whole", tmp_path / "stopped"
    stage2(*flags, "--output-dir", whole)

    def stop(*_: Any) -> None:
        raise RunFailedError("stopped")

    with monkeypatch.context() as patched:
        patched.setattr(train_module, "fit", stop)
        stage2(*flags, "--output-dir", out, exit_code=1)
    assert tree(out)[files.TEACHER_SCORES] == tree(whole)[files.TEACHER_SCORES]
    if loss == "distill-kl":
        monkeypatch.setattr(CrossEncoder, "score", stop_unless_probed(CrossEncoder.score))
        assert "has scored 32 pairs already" in stage2(*flags, "--output-dir", out).stderr
    else:
        stage2(*flags, "--output-dir", out)
    for name in (files.CHECKPOINTS, files.SHIPPED_MODEL):
        assert tree(out / name) == tree(whole / name)


@pytest.mark.parametrize("from_data", [True, False])
def test_what_was_said_of_other_data_is_not_used(
    stage2: Stage2, model_dir: Path, judge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    from_data: bool,
) -> None:  # fmt: skip
    """No stage is done when a training stops early, so the same folder takes changed data."""
    data, out = write_mined(tmp_path / "mined.jsonl", scores=True), tmp_path / "stopped"
    flags = ["train", "--data", data, "--model", model_dir, *FLAGS, "--loss", "margin-mse",
             "--teacher", "data" if from_data else judge]  # fmt: skip

    def stop(*_: Any) -> None:
        raise RunFailedError("stopped")

    with monkeypatch.context() as patched:
        patched.setattr(train_module, "fit", stop)
        stage2(*flags, "--output-dir", out, exit_code=1)
    before = (out / files.TEACHER_SCORES).read_text()
    text = data.read_text()
    data.write_text(text.replace("-0.25", "-7.25") if from_data else text.replace("sea", "stone"))
    assert data.read_text() != text
    assert "pairs already" not in stage2(*flags, "--output-dir", out).stderr
    after = (out / files.TEACHER_SCORES).read_text()
    assert after != before
    stage2(*flags, "--output-dir", tmp_path / "whole")
    assert after == (tmp_path / "whole" / files.TEACHER_SCORES).read_text()


def stop_unless_probed(score: Any) -> Any:
    """Let a cross-encoder score the few texts that it is tried on when it is loaded, no others."""

    def probed(self: CrossEncoder, questions: Any, *others: Any, **more: Any) -> Any:
        assert len(questions) < 32
        return score(self, questions, *others, **more)

    return probed


def test_a_whole_run_learns_from_a_wider_model(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, backbone: Path, tmp_path: Path
) -> None:
    """Only questions that may be trained on are scored; with folds any may be."""
    stage2("run", "--model", model_dir, *data_flags(corpus), "--epochs", 1, "--topk", 1,
           "--train-on", "hard", "--loss", "margin-mse", "--teacher", backbone, "--folds", 0,
           "--precision", "fp32", "--no-bm25", "--no-untouched-backbone")  # fmt: skip
    split = files.read_json(tmp_path / "out" / files.SPLIT)
    hard = {row["qa_id"] for row in read_jsonl(tmp_path / "out" / files.HARD)}
    asked = {row["qa_id"] for row in read_jsonl(tmp_path / "out" / files.TEACHER_SCORES)}
    assert asked == hard & {*split["train"], *split["dev"]}
    assert asked

    parts = [np.arange(5), np.arange(5, 7), np.arange(7, 9)]
    placed = Placed(parts, Groups(["a"] * 9, 0, 0), (0.5, 0.25, 0.25), 0.0)
    settings = Settings(refit=False)
    for chosen, folds, rows in [
        (settings, None, 5),
        (replace(settings, refit=True), None, 7),
        (settings, placed, 9),
    ]:
        assert run_module._may_train(chosen, placed, folds).tolist() == list(range(rows))


def test_scores_from_which_nothing_can_be_learnt_are_refused(
    stage2: Stage2, mined: Path, model_dir: Path, judge: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    flags = ["train", "--data", mined, "--model", model_dir, *FLAGS, "--loss", "margin-mse",
             "--teacher", judge, "--overwrite"]  # fmt: skip
    values = np.zeros(32, np.float32)

    def say(self: CrossEncoder, questions: Any, *_: Any, **__: Any) -> Any:
        return values if len(questions) == 32 else np.zeros(len(questions), np.float32)

    monkeypatch.setattr(CrossEncoder, "score", say)
    # The scores of this model are not kept, since it says something else each time.
    monkeypatch.setattr("stage2.cli.rerankers.folder_of", lambda _: None)
    assert "each of 8 questions one score" in stage2(*flags, exit_code=2).stderr
    values[4:] = np.arange(28)
    assert "all candidates of 1 questions one score" in stage2(*flags).stderr
    values[5] = np.nan
    said = stage2(*flags, exit_code=1).stderr
    assert "1 of 32 scores are not finite; the first is that of the chunk" in said
    assert read_jsonl(mined)[1]["query"]


def test_nobody_and_nothing_leave_the_lists_as_they_are() -> None:
    lists: Any = object()
    nothing: Any = None
    assert module.taught(nothing, nothing, None, lists, nothing, np.arange(3)) is lists
