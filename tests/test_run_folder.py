"""The folder of a run: what is refused, what is replaced, what was skipped; nothing is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from stage2 import files
from stage2.config import Settings
from stage2.runfolder import RunFolder
from tests.conftest import Stage2, data_flags, read_jsonl, tree


def test_another_runs_folder_is_refused_without_overwrite(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--model", model_dir, *data_flags(corpus)]
    stage2("mine", *flags)
    stage2("mine", *flags)  # the same run again is no other run
    before = tree(tmp_path / "out")
    result = stage2("mine", *flags, "--topk", 2, exit_code=2)
    assert "topk was 3, is 2" in result.stderr
    assert "--overwrite" in result.stderr
    assert tree(tmp_path / "out") == before
    (tmp_path / "out" / "mine.txt").write_text("not the program's", encoding="utf-8")
    stage2("mine", *flags, "--topk", 2, "--overwrite")
    assert (tmp_path / "out" / "mine.txt").is_file()
    assert json.loads((tmp_path / "out" / files.MINING_SUMMARY).read_text())["topk"] == 2


def test_files_of_an_unknown_run_are_refused(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / files.HARD).write_text("", encoding="utf-8")
    result = stage2("prepare", *data_flags(corpus), exit_code=2)
    assert "unknown run" in result.stderr


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


def test_an_attempt_of_the_same_launch_is_not_overwritten(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was stopped or had ended; another launch's is, and what no launch made."""
    out = tmp_path / "out"

    def folder() -> RunFolder:
        return RunFolder(Settings(output_dir=str(out), overwrite=True))

    def overwrites() -> bool:
        with folder() as run:
            return run.overwrites

    stage2("prepare", *data_flags(corpus))
    assert overwrites()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    with folder() as first:
        # What lies there is another run's, although torchrun started this one.
        assert first.overwrites
        first.begin({"mine": {}})
        assert not (out / files.CONSTRUCTED).exists()
    with folder() as again:
        assert not again.overwrites
        again.begin({"mine": {}})
        again.done("mine", {})
    assert not overwrites()
    monkeypatch.setattr(os, "getppid", lambda: 2**22 + 1)
    assert overwrites()
    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    assert overwrites()


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
    """In a folder that training alone has made, and that is evaluated."""
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
    """Samples, annotations, dev samples and a corpus by itself, not data sets alone."""
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


@pytest.mark.parametrize(
    ("command", "flags", "said"),
    [
        ("mine", ["--similarity", "entity"], "--entities"),
        ("run", ["--similarity", "entity"], "--entities"),
        ("run", ["--dev-share", 0], "--dev-share is 0"),
        ("prepare", ["--negatives", 2**70], "--negatives is 1180591620717411303424"),
        ("run", ["--folds", 10**12], "--folds is 1000000000000"),
    ],
)
def test_a_refused_call_changes_nothing(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    command: str, flags: list[object], said: str,
) -> None:  # fmt: skip
    stage2("mine", "--model", model_dir, *data_flags(corpus))
    before = tree(tmp_path / "out")
    files_of = {name: path for name, path in corpus.items() if name != "entities"}
    model = [] if command == "prepare" else ["--model", model_dir]
    call = [command, *model, *data_flags(files_of), *flags, "--overwrite"]
    assert said in stage2(*call, exit_code=2).stderr
    assert tree(tmp_path / "out") == before


def test_overwrite_replaces_what_the_command_makes_and_what_is_made_from_it(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    flags = ["--model", model_dir, "--topk", 1, "--epochs", 1, "--folds", 0]
    stage2("run", *flags, *data_flags(corpus))
    whole = tree(out)

    stage2("audit", exit_code=0)
    stage2("audit", "--near-duplicate", 0.6, exit_code=2)
    stage2("audit", "--near-duplicate", 0.6, "--overwrite")
    report = {files.REPORT, files.PAGE, files.REPORT_JSON, *files.CHARTS}
    changed = {files.AUDIT, files.AUDIT_ROWS, files.RUN, *report}
    after = tree(out)
    assert {name for name in whole if whole[name] != after.get(name)} <= changed
    assert whole.keys() - after.keys() <= report

    stage2("train", "--model", model_dir, "--epochs", 2, "--topk", 1, "--overwrite")
    trained = tree(out)
    kept = (files.CONSTRUCTED, files.HARD, files.EVALUATION)
    assert all(trained[name] == whole[name] for name in kept)
    assert len(read_jsonl(out / files.TRAINING_LOG)) == 3
    assert files.COMPARISON not in trained


def test_overwrite_never_deletes_what_it_reads(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    flags = [*data_flags(corpus), "--topk", 1, "--epochs", 1, "--folds", 0]
    stage2("run", "--model", model_dir, *flags)
    before = tree(out)
    model = out / files.SHIPPED_MODEL
    result = stage2("run", "--model", model, *flags, "--overwrite", exit_code=2)
    assert "--overwrite would delete it" in result.stderr
    result = stage2("merge", "--model", model_dir, "--model", model, "--overwrite", exit_code=2)
    assert "holds a trained model" in result.stderr
    assert tree(out) == before


def test_samples_have_no_corpus_to_be_ranked_against(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("prepare", *data_flags(corpus), "--output-dir", tmp_path / "prepared")
    data = ["--data", tmp_path / "prepared" / files.CONSTRUCTED, "--model", model_dir]
    result = stage2("evaluate", *data, "--corpus", "always", exit_code=2)
    assert "--corpus always" in result.stderr
    assert not (tmp_path / "out").exists()
