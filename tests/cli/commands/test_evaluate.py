"""`stage2 evaluate`: one model, or two on the same samples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stage2.utils import files
from tests.conftest import Stage2, data_flags


def test_evaluating_in_the_folder_of_a_run_uses_its_entities(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("mine", "--model", model_dir, *data_flags(corpus))
    mined = (tmp_path / "out" / files.EVALUATION).read_bytes()
    stage2("evaluate", "--model", model_dir)
    assert (tmp_path / "out" / files.EVALUATION).read_bytes() == mined


def test_fail_if_regressed_exits_with_3_and_writes_everything(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    models = ["--model", model_dir, "--model", model_dir]
    flags = [*models, *data_flags(corpus), "--fail-if-regressed"]
    stage2("evaluate", *flags, "--output-dir", tmp_path / "same")
    monkeypatch.setattr("stage2.evaluation.compare.verdict_of", lambda _: "worse")
    result = stage2("evaluate", *flags, exit_code=3)
    assert "regressed: Worse on 12 questions" in result.stderr
    comparison = json.loads((tmp_path / "out" / files.COMPARISON).read_text())
    assert comparison["verdict"]["word"] == "worse"
    assert (tmp_path / "out" / files.PER_QUESTION).is_file()
    result = stage2("evaluate", *flags[2:], "--output-dir", tmp_path / "one", exit_code=2)
    assert "give --model twice" in result.stderr
    assert not (tmp_path / "one").exists()


def test_more_models_than_two_are_refused(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    refused = stage2("evaluate", *["--model", model_dir] * 3, *data_flags(corpus), exit_code=2)
    assert "3 models; expected --model once, or twice" in refused.stderr
    assert not (tmp_path / "out").exists()
