"""The card of a model: metadata that the Hub reads, and nothing of the user's as Markdown."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from stage2.report.model_card import model_card
from stage2.report.run import read_run
from tests.conftest import Stage2, data_flags


@pytest.fixture
def folder(stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path) -> Path:
    stage2("run", *data_flags(corpus), "--model", model_dir, "--epochs", 1, "--folds", 0)
    return tmp_path / "out"


def test_the_hubs_own_library_reads_it(folder: Path) -> None:
    run = read_run(folder)
    card = ModelCard(model_card(run))
    card.validate = None  # type: ignore[assignment]  # it would ask the hub
    (result, *_) = card.data.eval_results or []
    assert card.data.library_name == "stage2"
    assert card.data.pipeline_tag == "sentence-similarity"
    shown = [
        part for part in run.comparison["sets"] if part["held_out"] and part["source"] == "corpus"
    ]
    assert result.metric_value == pytest.approx(shown[0]["after"]["mrr"], abs=1e-6)


def test_names_are_escaped(folder: Path) -> None:
    run = read_run(folder)
    run.record["shipped"]["reason"]["en"] = "<script>alert(1)</script> | x"
    card = model_card(run)
    assert "<script>" not in card
    assert "&lt;script&gt;" in card


def test_settings_and_hashes_are_those_of_the_run(folder: Path) -> None:
    run = read_run(folder)
    card = model_card(run)
    assert "| `epochs` | 1 |" in card
    for file in run.data["files"].values():
        assert file["sha256"] in card
