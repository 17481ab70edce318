"""The untouched backbone of a ProbabilisticGBERTV4 stands beside it, and bears the verdict."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from stage2.models.init_model import init_model
from stage2.utils import files
from tests.conftest import Stage2, data_flags, read_jsonl

NAME = "untouched_backbone"


def sets(folder: Path) -> list[dict[str, Any]]:
    return files.read_json(folder / files.COMPARISON)["sets"]


def ranks(folder: Path, name: str) -> list[float]:
    return [row["ranks"]["corpus"][name] for row in read_jsonl(folder / files.PER_QUESTION)]


def test_a_run_shows_the_backbone_everywhere(
    stage2: Stage2, corpus: dict[str, Path], backbone: Path, model_dir: Path, tmp_path: Path
) -> None:
    """Its numbers are those of an evaluation of the backbone as a model."""
    flags = [*data_flags(corpus), "--folds", 0, "--epochs", 1]
    done = stage2("run", "--model", model_dir, *flags)
    out = tmp_path / "out"
    assert "test: untouched backbone  whole corpus" in done.stdout
    assert done.stdout.split("test: untouched backbone")[1].split("\n")[0].endswith("untouched")
    own = [*data_flags(corpus), "--model", backbone, "--similarity", "sentence"]
    stage2("evaluate", *own, "--output-dir", tmp_path / "alone")
    everyone = {part["source"]: part for part in sets(tmp_path / "alone")}["corpus"]["before"]
    found = [part for part in sets(out) if part["name"] == "all" and part["source"] == "corpus"]
    beside = found[0]["baselines"][NAME]
    assert {name: beside[name] for name in everyone} == everyone
    assert (beside["model"], beside["embedding_dim"]) == (backbone.name, 32)
    assert ranks(out, NAME) == ranks(tmp_path / "alone", "before")
    card = (out / files.SHIPPED_MODEL / files.CARD).read_text("utf-8")
    assert "| untouched backbone |" in card
    assert ">untouched backbone</th>" in (out / files.PAGE).read_text("utf-8")
    # The trained model was made from the same encoder.
    again = stage2("evaluate", "--model", out, *data_flags(corpus), "--output-dir", tmp_path / "b")
    assert "all: untouched backbone" in again.stdout


def test_the_verdict_and_the_exit_code_are_against_the_better_model(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    seen: list[Sequence[str]] = []

    def worse_against_the_backbone(part: dict[str, Any]) -> dict[str, Any]:
        own = part["statistics"]
        better = {**own, "mrr": {**own["mrr"], "before": 1.0}, "verdict": "worse"}
        seen.append(sorted(part["baselines"]))
        return {"before": own, NAME: better}

    monkeypatch.setattr("stage2.evaluation.verdict.statistics_against", worse_against_the_backbone)
    monkeypatch.setattr("stage2.report.verdict.statistics_against", worse_against_the_backbone)
    models = ["--model", model_dir, "--model", model_dir]
    call = ["evaluate", *models, *data_flags(corpus), "--fail-if-regressed"]
    refused = stage2(*call, exit_code=3)
    assert "regressed: Worse than backbone" in refused.stderr
    assert ", the untouched backbone, on 12 questions" in refused.stderr
    assert seen[0] == ["bm25", NAME]
    verdict = json.loads((tmp_path / "out" / files.COMPARISON).read_text())["verdict"]
    assert (verdict["word"], verdict["against"]) == ("worse", NAME)


def test_without_the_row_the_verdict_is_against_the_model_as_given(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    models = ["--model", model_dir, "--model", model_dir]
    call = ["evaluate", *models, *data_flags(corpus), "--no-untouched-backbone"]
    assert "untouched" not in stage2(*call).stdout
    assert files.read_json(tmp_path / "out" / files.COMPARISON)["verdict"]["against"] == "before"
    assert all(NAME not in (part.get("baselines") or {}) for part in sets(tmp_path / "out"))


def test_a_model_that_was_made_from_no_encoder_has_no_such_row(
    stage2: Stage2, corpus: dict[str, Path], backbone: Path, tmp_path: Path
) -> None:
    call = ["evaluate", "--model", backbone, *data_flags(corpus)]
    refused = stage2(*call, "--no-untouched-backbone", exit_code=2)
    assert "--no-untouched-backbone has no effect here" in refused.stderr
    assert not (tmp_path / "out").exists()
    assert "untouched" not in stage2(*call).stdout


def test_an_encoder_that_is_gone_is_told_of(
    stage2: Stage2, corpus: dict[str, Path], backbone: Path, tmp_path: Path
) -> None:
    encoder = tmp_path / "encoder"
    shutil.copytree(backbone, encoder)
    made = init_model(str(encoder), [], embedding_dim=8, max_length=32, seed=0, fit=False)
    made.save_pretrained(tmp_path / "stage1")
    call = ["evaluate", "--model", tmp_path / "stage1", *data_flags(corpus)]
    assert "all: untouched backbone" in stage2(*call).stdout
    (encoder / "model.safetensors").write_bytes(b"damaged")
    refused = stage2(*call, "--embedding-cache", "off", "--overwrite", exit_code=2)
    assert "to do without its row in the table: --no-untouched-backbone" in refused.stderr
    (encoder / "model.safetensors").unlink()
    told = stage2(*call, "--overwrite")
    assert f"is not here with its weights ({encoder})" in told.stderr
    assert "untouched backbone" not in told.stdout


def test_a_file_of_weights_has_the_encoder_that_is_named(
    stage2: Stage2, corpus: dict[str, Path], backbone: Path, model_dir: Path, tmp_path: Path
) -> None:
    made = init_model(str(backbone), [], embedding_dim=8, max_length=32, seed=0, fit=False)
    made.save_reference(tmp_path / "epoch_1.pt")
    call = ["evaluate", "--model", tmp_path / "epoch_1.pt", "--backbone", backbone]
    assert "all: untouched backbone" in stage2(*call, *data_flags(corpus)).stdout
