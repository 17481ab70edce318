"""The inputs of a command."""

from __future__ import annotations

import os
from pathlib import Path

from stage2.utils import files
from tests.conftest import Stage2, data_flags, read_jsonl


def test_a_half_of_the_data_is_refused(stage2: Stage2, corpus: dict[str, Path]) -> None:
    result = stage2("mine", "--qa", corpus["qa"], exit_code=2)
    assert "--chunks is missing" in result.stderr


def test_a_pipe_is_refused(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    pipe, other = tmp_path / "pipe", tmp_path / "other"
    os.mkfifo(pipe)
    stage2("prepare", "--qa", corpus["qa"], "--chunks", corpus["chunks"])
    samples = tmp_path / "out" / files.CONSTRUCTED
    for call in [
        ["prepare", "--qa", corpus["qa"], "--chunks", pipe],
        ["mine", "--data", pipe],
        ["train", "--data", samples, "--dev-data", pipe, "--model", model_dir],
        ["init", "--chunks", pipe],
    ]:
        done = stage2(*call, "--output-dir", other, exit_code=2)
        assert "no regular file" in done.stderr, call
        assert not other.exists()


def test_skip_reports_what_it_left_out(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "qa.jsonl"
    broken.write_text(corpus["qa"].read_text() + '{"question": ""}\n{"question"\n')
    flags = ["--model", model_dir, *data_flags(dict(corpus, qa=broken))]
    result = stage2("mine", *flags, exit_code=2)
    assert f"{broken}:13:" in result.stderr
    assert not (tmp_path / "out").exists()
    stage2("mine", *flags, "--on-error", "skip")
    rejected = read_jsonl(tmp_path / "out" / files.REJECTED)
    assert [row["line"] for row in rejected] == [13, 14]
    assert len(read_jsonl(tmp_path / "out" / files.CONSTRUCTED)) == 12


def test_rejected_rows_of_a_run_stay_when_others_are_evaluated(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "qa.jsonl"
    broken.write_text(corpus["qa"].read_text() + '{"question": ""}\n')
    model = ["--model", model_dir, "--on-error", "skip"]
    stage2("mine", *model, *data_flags(dict(corpus, qa=broken)))
    out = tmp_path / "out"
    before = (out / files.REJECTED).read_bytes()
    bad = tmp_path / "bad.jsonl"
    bad.write_text((out / files.CONSTRUCTED).read_text() + '{"question": 1}\n')
    stage2("evaluate", *model, "--data", bad)
    assert (out / files.REJECTED).read_bytes() == before
    [row] = read_jsonl(out / "rejected_evaluate.jsonl")
    assert Path(row["file"]) == bad
    stage2("evaluate", "--model", model_dir, "--overwrite")
    assert not (out / "rejected_evaluate.jsonl").exists()
    assert (out / files.REJECTED).read_bytes() == before


def test_rejected_rows_are_those_of_the_last_call(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    """The folder was made by training only, and is then evaluated."""
    stage2("prepare", *data_flags(corpus), "--output-dir", tmp_path / "prepared")
    clean = tmp_path / "prepared" / files.CONSTRUCTED
    train, test = tmp_path / "train.jsonl", tmp_path / "test.jsonl"
    for path in (train, test):
        path.write_text(clean.read_text() + '{"question": ""}\n')
    flags = ["--model", model_dir, "--on-error", "skip", "--entities", corpus["entities"]]
    stage2("train", *flags, "--data", train, "--epochs", 1)
    stage2("evaluate", *flags, "--data", test)
    out = tmp_path / "out"
    for name, path in ((files.REJECTED, train), ("rejected_evaluate.jsonl", test)):
        [row] = read_jsonl(out / name)
        assert Path(row["file"]) == path
    stage2("evaluate", *flags, "--data", clean, "--overwrite")
    assert not (out / "rejected_evaluate.jsonl").exists()
    assert (out / files.REJECTED).exists()
    stage2("train", *flags, "--data", clean, "--epochs", 1, "--overwrite")
    assert not (out / files.REJECTED).exists()


def test_skip_reports_it_whatever_was_read(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, backbone: Path, tmp_path: Path
) -> None:
    """This holds for samples, annotations, dev samples and a corpus, not only for data sets."""
    stage2("prepare", *data_flags(corpus), "--output-dir", tmp_path / "prepared")
    bad = tmp_path / "bad.jsonl"
    bad.write_text((tmp_path / "prepared" / files.CONSTRUCTED).read_text() + '{"question": ""}\n')
    entities = tmp_path / "entities.jsonl"
    entities.write_text(corpus["entities"].read_text() + "{}\n")
    model = ["--model", model_dir, "--on-error", "skip"]
    data = ["--data", bad, "--entities", entities]
    calls = {
        "mine": [*model, *data],
        "train": [*model, *data, "--dev-data", bad, "--epochs", 1],
        "evaluate": [*model, *data],
        "audit": [*data, "--on-error", "skip"],
        "merge": [*model, "--model", model_dir, *data, "--alpha", 0.5],
    }
    for command, flags in calls.items():
        out = tmp_path / command
        result = stage2(command, *flags, "--output-dir", out)
        assert "rejected rows" in result.stderr, command
        names = [Path(row["file"]).name for row in read_jsonl(out / files.REJECTED)]
        again = [bad.name] if command == "train" else []
        assert names == [bad.name, entities.name, *again], command
    chunks = tmp_path / "chunks.jsonl"
    chunks.write_text(corpus["chunks"].read_text() + '{"chunk_id": "x"}\n')
    flags = ["--chunks", chunks, "--backbone", backbone, "--on-error", "skip"]
    stage2("init", *flags, "--output-dir", tmp_path / "init")
    [row] = read_jsonl(tmp_path / "init" / files.REJECTED)
    assert row["reason"] == "missing_field"
