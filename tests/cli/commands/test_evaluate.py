"""`stage2 evaluate`: one model, or two on the same samples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stage2.evaluation.bm25 import tokens_of
from stage2.utils import files
from tests import reference
from tests.conftest import Stage2, data_flags, read_jsonl


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


def test_bm25_stands_beside_a_model_over_the_whole_corpus(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    data = data_flags(corpus)
    call = ["evaluate", "--model", model_dir, *data, "--no-untouched-backbone"]
    table = stage2(*call).stdout
    out, without = tmp_path / "out", tmp_path / "without"
    assert "all: BM25  whole corpus  12" in table
    plain = stage2(*call, "--no-bm25", "--output-dir", without).stdout
    assert "BM25" not in plain
    comparison, plain_comparison = (
        json.loads((folder / files.COMPARISON).read_text()) for folder in (out, without)
    )
    found = {part["source"]: part.pop("baselines", None) for part in comparison["sets"]}
    assert comparison == plain_comparison
    assert found["candidates"] is None
    rows, plain_rows = (read_jsonl(folder / files.PER_QUESTION) for folder in (out, without))
    ranks = [row["ranks"]["corpus"].pop("bm25") for row in rows]
    metrics = [row["metrics"]["corpus"].pop("bm25") for row in rows]
    # By Jensen's inequality, with equality where no score is equal to that of the ground truth.
    pairs = [(one["reciprocal_rank"], 1 / rank) for one, rank in zip(metrics, ranks, strict=True)]
    assert all(1 >= mean >= least - 1e-12 for mean, least in pairs)
    assert rows == plain_rows
    assert found["corpus"]["bm25"]["mean_rank"] == pytest.approx(sum(ranks) / 12)
    documents = [tokens_of(row["text"]) for row in read_jsonl(corpus["chunks"])]
    for row, rank in zip(read_jsonl(corpus["qa"]), ranks, strict=True):
        scores = reference.bm25(tokens_of(row["question"]), documents)
        own = scores[int(row["chunk_id"].removeprefix("c"))]
        above = sum(score > own for score in scores)
        assert rank == pytest.approx(above + (scores.count(own) + 1) / 2)


def test_without_a_corpus_there_is_no_baseline(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("prepare", *data_flags(corpus), "--output-dir", tmp_path / "prepared")
    data = ["--data", tmp_path / "prepared" / files.CONSTRUCTED]
    assert "BM25" not in stage2("evaluate", "--model", model_dir, *data).stdout
    refused = stage2("evaluate", "--model", model_dir, *data, "--no-bm25", exit_code=2)
    assert "--no-bm25 has no effect here" in refused.stderr
