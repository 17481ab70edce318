"""Evaluation among candidates and over the whole corpus."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stage2.config import Settings
from stage2.training import dev_corpus
from stage2.utils import files
from tests.conftest import Stage2, data_flags


def test_run_ranks_all_chunks_and_says_what_it_chose_on(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(dev_corpus.dev_of, "__defaults__", (10,))
    flags = ["--model", model_dir, "--epochs", 2, "--learning-rate", 1e-3, "--folds", 0]
    done = stage2("run", *data_flags(corpus), *flags)
    assert "ranked among" in done.stderr
    assert "of the 20 chunks, choose among the epochs" in done.stderr
    out = tmp_path / "out"
    comparison = json.loads((out / files.COMPARISON).read_text())
    assert comparison["verdict"]["source"] == "corpus"
    record = json.loads((out / files.RUN).read_text())
    assert record["dev"]["chunks"] < record["dev"]["of"] == 20
    reason = record["shipped"]["reason"]
    assert "of the 20 chunks: the ground truths and what stage 1 has nearest" in reason["en"]
    assert "20 个文本块" in reason["zh"]
    best = record["shipped"]["candidates"][0]
    assert (best["kind"] == "stage1") or best["whole_value"] > 0
    for language in ("en", "zh"):
        stage2("report", "--language", language)
        assert reason[language][:30] in (out / files.REPORT).read_text()


def test_never_and_samples_alone_rank_no_corpus(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    done = stage2("evaluate", *data_flags(corpus), "--model", model_dir, "--corpus", "never")
    assert "whole corpus" not in done.stdout
    assert Settings().corpus == "auto"
