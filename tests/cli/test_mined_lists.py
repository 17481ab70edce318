"""Samples that a model mined: ranks among them are its choice, so all texts of the file count."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stage2.call import were_mined
from stage2.utils import files
from tests.conftest import Stage2, data_flags, read_jsonl


@pytest.fixture
def mined(stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "mined"
    stage2("mine", "--model", model_dir, *data_flags(corpus), "--output-dir", folder)
    return folder


def test_a_folder_tells_whether_its_samples_were_mined(mined: Path, tmp_path: Path) -> None:
    assert were_mined(mined / files.CONSTRUCTED)
    assert were_mined(str(mined / files.HARD))
    assert not were_mined(None)
    assert not were_mined(mined / files.EVALUATION)
    moved = tmp_path / files.CONSTRUCTED
    moved.write_bytes((mined / files.CONSTRUCTED).read_bytes())
    assert not were_mined(moved)
    for content in ("", "[]", '{"source": "candidates"}', "{"):
        (tmp_path / files.MINING_SUMMARY).write_text(content)
        assert not were_mined(moved)
    (tmp_path / files.MINING_SUMMARY).write_text('{"source": "corpus"}')
    assert were_mined(moved)


def test_a_margin_makes_stage_1_the_first_among_what_it_mined(
    stage2: Stage2, mined: Path, model_dir: Path, tmp_path: Path
) -> None:
    """So no model could look better among these candidates, and all texts are ranked instead."""
    ranks = [
        row["consistency_metrics"]["expected_rank"]
        for row in json.loads((mined / files.EVALUATION).read_text())
    ]
    assert set(ranks) == {1.0}
    result = stage2("evaluate", "--model", model_dir, "--data", mined / files.CONSTRUCTED)
    assert "each question is ranked among all" in result.stderr
    sets = json.loads((tmp_path / "out" / files.COMPARISON).read_text())["sets"]
    assert {part["source"] for part in sets} == {"corpus"}
    assert all(part["before"]["mrr"] < 1 for part in sets)


def test_dev_questions_of_mined_samples_are_ranked_among_all_texts(
    stage2: Stage2, mined: Path, model_dir: Path, tmp_path: Path
) -> None:
    data = ["--data", mined / files.CONSTRUCTED, "--split", "none", "--epochs", 1]
    result = stage2("train", "--model", model_dir, *data)
    assert "each question is ranked among all" in result.stderr
    log = read_jsonl(tmp_path / "out" / files.TRAINING_LOG)
    # The same samples under another name list candidates that nobody is known to have mined.
    listed = tmp_path / "listed.jsonl"
    listed.write_bytes((mined / files.CONSTRUCTED).read_bytes())
    data[1] = listed
    result = stage2("train", "--model", model_dir, *data, "--output-dir", tmp_path / "other")
    assert "each question is ranked among all" not in result.stderr
    other = read_jsonl(tmp_path / "other" / files.TRAINING_LOG)
    assert other[0]["dev"]["mrr"] > 2 * log[0]["dev"]["mrr"]


def test_a_merge_is_measured_among_all_texts_too(
    stage2: Stage2, mined: Path, model_dir: Path, tmp_path: Path
) -> None:
    models = ["--model", model_dir, "--model", model_dir, "--split", "none", "--alpha", 0.5]
    for method in ("interpolate", "sum"):
        out = tmp_path / method
        flags = ["--data", mined / files.CONSTRUCTED, "--method", method, "--output-dir", out]
        stage2("merge", *models, *flags)
        sets = json.loads((out / files.COMPARISON).read_text())["sets"]
        assert {part["source"] for part in sets} == {"corpus"}


def test_what_ranking_all_texts_takes_may_be_said(
    stage2: Stage2, mined: Path, model_dir: Path, tmp_path: Path
) -> None:
    call = ["evaluate", "--model", model_dir, "--data", mined / files.CONSTRUCTED]
    result = stage2(*call, "--no-bm25", "--recall-at", 5)
    assert "BM25" not in result.stdout
    result = stage2(*call, "--corpus", "never", "--output-dir", tmp_path / "never")
    assert "each question is ranked among all" not in result.stderr
    sets = json.loads((tmp_path / "never" / files.COMPARISON).read_text())["sets"]
    assert {part["source"] for part in sets} == {"candidates"}


def test_samples_that_nobody_mined_keep_their_candidates_under_a_source_in_a_file(
    stage2: Stage2, mined: Path, model_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.toml").write_text('source = "corpus"\n')
    listed = tmp_path / "listed.jsonl"
    listed.write_bytes((mined / files.CONSTRUCTED).read_bytes())
    stage2("evaluate", "--model", model_dir, "--data", listed, "--config", tmp_path / "a.toml")
    sets = json.loads((tmp_path / "out" / files.COMPARISON).read_text())["sets"]
    assert {part["source"] for part in sets} == {"candidates"}
