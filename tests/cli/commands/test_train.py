"""`stage2 train`: the data, and the continuation of a training."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from stage2.cli.commands.train import TrainingQuestions
from stage2.utils import files
from stage2.utils.errors import RunFailedError
from tests.conftest import Stage2, data_flags, read_jsonl, tree
from tests.programs import start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("folder", ["mined", "own"])
def test_train_goes_on_too(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    folder: str, number: signal.Signals,
) -> None:  # fmt: skip
    """It works in the folder of mining, and in its own folder where no command has ended yet."""
    mined, out = tmp_path / "mined", tmp_path / folder
    stage2("mine", "--model", model_dir, *data_flags(corpus), "--topk", 1, "--output-dir", mined)
    flags = ["--model", model_dir, "--split", "none", "--epochs", 12, "--batch-size", 1,
             "--precision", "fp32", "--data", mined / files.HARD,
             "--entities", corpus["entities"]]  # fmt: skip
    stage2("train", *flags, "--output-dir", tmp_path / "whole")
    with start("train", *flags, "--output-dir", out) as running:
        state = out / files.CHECKPOINTS / files.TRAINING_STATE
        while running.poll() is None and not state.is_file():
            time.sleep(0.01)
        running.send_signal(number)
        assert running.stderr is not None
        said = running.stderr.read().decode()
    assert running.returncode == (1 if number == signal.SIGINT else -number), said
    assert ("goes on from there" in said) == (number == signal.SIGINT)
    if folder == "own":
        before = tree(out)
        refused = stage2("prepare", *data_flags(corpus), "--output-dir", out, exit_code=2)
        assert "of a run that was not ended" in refused.stderr
        assert "no run there" in stage2("report", "--output-dir", out, exit_code=2).stderr
        assert tree(out) == before
    result = stage2("train", *flags, "--output-dir", out)
    assert "going on" in result.stderr
    assert [row["epoch"] for row in read_jsonl(out / files.TRAINING_LOG)] == list(range(13))
    assert tree(out / files.CHECKPOINTS) == tree(tmp_path / "whole" / files.CHECKPOINTS)
    assert tree(out / files.SHIPPED_MODEL) == tree(tmp_path / "whole" / files.SHIPPED_MODEL)
    assert "begun" not in files.read_json(out / files.RUN)


def test_nothing_to_train_on_is_refused(stage2: Stage2, tmp_path: Path) -> None:
    refused = stage2("train", exit_code=2)
    assert f"nothing to train on: no --data, and no {files.HARD}" in refused.stderr
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    assert "no hard example" in stage2("train", "--data", empty, exit_code=2).stderr
    assert not (tmp_path / "out").exists()


def _samples() -> list[dict[str, Any]]:
    """Make eight questions, each with its own answer and with three answers of others."""
    texts = [f"the {word} stands on the {word} hill" for word in
             ("castle", "mill", "tower", "chapel", "barn", "school", "bridge", "inn")]  # fmt: skip
    return [
        {
            "qa_id": f"q{i}",
            "question": f"where is it, number {i}?",
            "gt_chunk_id": f"c{i}",
            "ground_truth_contexts": [texts[i]],
            "negative_contexts": [texts[(i + step) % 8] for step in (1, 3, 5)],
        }
        for i in range(8)
    ]


@pytest.mark.parametrize("how", ["split", "given", "dev_data", "none"])
def test_no_answer_of_a_question_that_is_held_out_is_trained_on_as_a_negative(
    stage2: Stage2, model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """`train` does as `run` does. A given split holds out the answers of its test questions too."""
    rows = _samples()
    data, dev, split = tmp_path / "data.jsonl", tmp_path / "dev.jsonl", tmp_path / "split.json"
    held_out = {"split": None, "given": {4, 5, 6, 7}, "dev_data": {6, 7}, "none": set()}[how]
    files.write_jsonl(data, rows[:6] if how == "dev_data" else rows)
    files.write_jsonl(dev, rows[6:])
    files.write_json(split, {"train": ["q0", "q1", "q2", "q3"], "dev": ["q4", "q5"],
                             "test": ["q6", "q7"]})  # fmt: skip
    more = {"split": ["--dev-share", 0.4], "given": ["--split-file", split],
            "dev_data": ["--dev-data", dev], "none": ["--split", "none"]}[how]  # fmt: skip
    seen = list[TrainingQuestions]()

    def caught(*arguments: Any) -> None:
        seen.append(arguments[3])
        raise RunFailedError("caught")

    monkeypatch.setattr("stage2.cli.commands.train.fit", caught)
    flags = ["--model", model_dir, "--data", data, "--epochs", 1, *more]
    said = stage2("train", *flags, exit_code=1).stderr
    (questions,) = seen
    lists = questions.lists
    if held_out is None:
        held_out = {int(name[1:]) for name in questions.dev.lists.qa_ids}
        assert held_out
        assert not held_out & {int(name[1:]) for name in lists.qa_ids}
    texts = [row["ground_truth_contexts"][0] for row in rows]
    found = {
        name: [lists.tokens.texts[row] for row in lists.candidates[start:end]][1:]
        for name, start, end in zip(lists.qa_ids, lists.offsets, lists.offsets[1:], strict=False)
    }
    hidden = {texts[i] for i in held_out}
    assert found == {
        row["qa_id"]: [text for text in row["negative_contexts"] if text not in hidden]
        for row in rows
        if row["qa_id"] in lists.qa_ids
    }
    left = sum(len(rows[0]["negative_contexts"]) - len(kept) for kept in found.values())
    told = f"{left} negatives answer held-out questions, and are not trained on"
    assert (told in said) == bool(left)
    assert bool(left) == (how != "none")
