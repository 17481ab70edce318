"""`stage2 audit`: its table, its exit codes, and training without the dropped negatives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stage2.utils import files
from tests.conftest import Stage2, data_flags, read_jsonl
from tests.negatives import NEARLY, OTHERS, plain, sample
from tests.small import write_jsonl


def test_audit_prints_a_table_and_strict_fails(stage2: Stage2, tmp_path: Path) -> None:
    clean = write_jsonl(tmp_path / "clean.jsonl", [sample(plain(3))])
    result = stage2("audit", "--data", clean, "--strict")
    assert "near_duplicate" in result.stdout
    out = tmp_path / "out"
    assert (out / files.AUDIT_ROWS).read_text() == ""

    false = write_jsonl(tmp_path / "false.jsonl", [sample([*plain(2), ("n9", NEARLY)])])
    result = stage2("audit", "--data", false, "--overwrite", "--language", "zh")
    assert "近似重复" in result.stdout
    result = stage2("audit", "--data", false, "--overwrite", "--strict", exit_code=1)
    assert "2 findings" in result.stderr
    assert json.loads((out / files.AUDIT).read_text())["false_negatives"] == 1


def test_hints_do_not_fail_strict(stage2: Stage2, model_dir: Path, tmp_path: Path) -> None:
    rows = [sample([(f"n{i}", text) for i, text in enumerate(OTHERS)], qa_id=f"q{i}",
                   question=question) for i, question in enumerate(OTHERS)]  # fmt: skip
    data = write_jsonl(tmp_path / "data.jsonl", rows)
    stage2("audit", "--data", data, "--model", model_dir, "--strict")
    kinds = {row["check"] for row in read_jsonl(tmp_path / "out" / files.AUDIT_ROWS)}
    assert kinds == {"model_above"}


def test_the_scores_of_the_folder_are_used(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("mine", "--source", "candidates", "--model", model_dir, *data_flags(corpus))
    out = tmp_path / "out"
    mined = (out / files.AUDIT_ROWS).read_bytes()
    assert b"model_above" in mined
    stage2("audit")
    assert (out / files.AUDIT_ROWS).read_bytes() == mined


@pytest.mark.parametrize("keep_some", [True, False])
def test_dropping_leaves_false_negatives_out_of_training_only(
    stage2: Stage2, model_dir: Path, tmp_path: Path, keep_some: bool
) -> None:
    easy = plain(3) if keep_some else []
    data = write_jsonl(tmp_path / "data.jsonl", [sample([("n8", NEARLY), *easy])])
    flags = ["--data", data, "--model", model_dir, "--topk", 1]
    assert "--drop-false-negatives" in stage2("mine", *flags).stderr
    out = tmp_path / "out"
    whole = read_jsonl(out / files.HARD)
    measured = (out / files.EVALUATION).read_bytes()
    assert whole[0]["negative_chunk_ids"][0] == "n8"
    stage2("mine", *flags, "--drop-false-negatives", "--overwrite")
    left = read_jsonl(out / files.HARD)
    assert (out / files.EVALUATION).read_bytes() == measured
    if keep_some:
        assert left == [sample(easy)]
    else:
        assert left == []


def test_run_drops_in_training(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = [*data_flags(corpus), "--model", model_dir, "--topk", 1, "--split", "none",
             "--folds", 0, "--epochs", 1, "--loss", "margin", "--train-on", "hard"]  # fmt: skip
    stage2("run", *flags, "--output-dir", tmp_path / "kept")
    stage2("run", *flags, "--drop-false-negatives", "--output-dir", tmp_path / "dropped")
    kept, dropped = (
        {name: read_jsonl(tmp_path / folder / name) for name in (files.TRAINING_LOG, files.HARD)}
        for folder in ("kept", "dropped")
    )
    assert kept[files.TRAINING_LOG][0]["dev"] == dropped[files.TRAINING_LOG][0]["dev"]
    assert kept[files.TRAINING_LOG][1]["loss"] != dropped[files.TRAINING_LOG][1]["loss"]
    for row in dropped[files.HARD]:
        assert not any(row["answer"] in text.split() for text in row["negative_contexts"])
    assert (tmp_path / "kept" / files.EVALUATION).read_bytes() == (
        tmp_path / "dropped" / files.EVALUATION
    ).read_bytes()


def test_mining_with_a_cross_encoder_records_its_scores_and_drops_by_them(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, cross_encoder: Path, tmp_path: Path
) -> None:
    stage2("mine", "--model", model_dir, *data_flags(corpus), "--cross-encoder", cross_encoder,
           "--drop-false-negatives")  # fmt: skip
    out = tmp_path / "out"
    scores = {row["qa_id"]: row["scores"] for row in read_jsonl(out / files.CROSS_SCORES)}
    assert len(scores) == 12
    above = {
        (qa_id, place)
        for qa_id, row in scores.items()
        for place, score in enumerate(row)
        if score > row[0]
    }
    rows = read_jsonl(out / files.AUDIT_ROWS)
    told = {(row["qa_id"], row["position"]) for row in rows
            if row["check"] == "cross_encoder_above"}  # fmt: skip
    assert told == above
    constructed = {row["qa_id"]: row for row in read_jsonl(out / files.CONSTRUCTED)}
    for row in read_jsonl(out / files.HARD):
        before = constructed[row["qa_id"]]["negative_chunk_ids"]
        false = {r["chunk_id"] for r in rows if r["qa_id"] == row["qa_id"]
                 and r["check"] in ("cross_encoder_above", "contains_answer")}  # fmt: skip
        assert row["negative_chunk_ids"] == [name for name in before if name not in false]
