"""The folder of a run: what is refused, replaced or skipped, and that nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from stage2.cli.run_folder import RunFolder
from stage2.config import Settings
from stage2.utils import files
from stage2.utils.errors import RunFailedError
from tests.conftest import Stage2, data_flags, read_jsonl, tree


def test_another_runs_folder_is_refused_without_overwrite(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--model", model_dir, *data_flags(corpus)]
    stage2("mine", *flags)
    stage2("mine", *flags)  # the same run again is not another run
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


def test_an_attempt_of_the_same_launch_is_not_overwritten(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This holds for stopped and ended attempts. Runs not made by this launch are overwritten."""
    out = tmp_path / "out"

    def folder() -> RunFolder:
        return RunFolder(out, overwrite=True)

    def overwrites() -> bool:
        with folder() as run:
            return run.overwrites

    stage2("prepare", *data_flags(corpus))
    assert overwrites()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    with folder() as first:
        # The folder has another run, although torchrun started this one.
        assert first.overwrites
        first.begin(Settings(), {"mine": {}})
        assert not (out / files.CONSTRUCTED).exists()
    with folder() as again:
        assert not again.overwrites
        again.begin(Settings(), {"mine": {}})
        again.done(Settings(), "mine", {})
    assert not overwrites()
    monkeypatch.setattr(os, "getppid", lambda: 2**22 + 1)
    assert overwrites()
    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    assert overwrites()


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


def test_the_record_is_the_first_file(
    stage2: Stage2,
    corpus: dict[str, Path],
    model_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same command continues a command that was killed before its second file."""
    out, written = tmp_path / "out", files.atomic
    names: list[str] = []

    def killed(path: Path) -> Any:
        names.append(Path(path).name)
        if len(names) == 2:
            raise KeyboardInterrupt
        return written(path)

    flags = ["--model", model_dir, *data_flags(corpus)]
    with monkeypatch.context() as patch:
        patch.setattr(files, "atomic", killed)
        patch.setattr(RunFolder, "_end", lambda *_: None)
        stage2("mine", *flags, exit_code=1)
    assert names == [files.RUN, files.SETTINGS]
    assert [path.name for path in out.iterdir()] == [files.RUN]
    stage2("mine", *flags)


def test_a_folder_that_is_deleted_midway_is_an_error(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = RunFolder(out)
    run.begin(Settings(), {"prepare": {}})
    shutil.rmtree(out)
    with pytest.raises(RunFailedError, match="deleted or replaced"):
        run / files.CONSTRUCTED
    out.mkdir()  # another folder with the same name does not count
    with pytest.raises(RunFailedError, match="deleted or replaced"):
        run.done(Settings(), "prepare", {})
    # It is found at the latest when the command ends, so that nobody takes a part for the whole.
    with pytest.raises(RunFailedError, match="deleted or replaced"):
        run.__exit__(None, None, None)
    assert not list(out.iterdir())


def test_a_file_that_is_deleted_midway_is_an_error(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "out") as run:
        run.begin(Settings(), {"prepare": {}, "mine": {}})
        files.write_text(run / files.CONSTRUCTED, "{}\n")
        run.done(Settings(), "prepare", {})
        (run / files.CONSTRUCTED).unlink()
        with pytest.raises(RunFailedError, match="deleted while the command worked"):
            run.done(Settings(), "mine", {})
        files.write_text(run / files.CONSTRUCTED, "{}\n")


def test_leftovers_are_known_by_the_lock(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    """The check does not use the process id, which another process may have by now."""
    out, flags = tmp_path / "out", ["--model", model_dir, *data_flags(corpus)]
    stage2("mine", *flags)
    stage2("train", "--model", model_dir, "--epochs", 1)
    wanted = set(tree(out))
    for folder in (out, out / files.CHECKPOINTS):
        (folder / f".epoch_1.pt.{os.getpid()}-left.tmp").write_text("half")
    stage2("train", "--model", model_dir, "--epochs", 1)
    assert set(tree(out)) == wanted
    (out / f".report.md.{os.getpid()}-left.tmp").write_text("half")
    stage2("report")
    assert not list(out.glob(".*.tmp"))


def test_what_is_read_is_not_replaced(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    stage2("mine", "--source", "candidates", "--model", model_dir, *data_flags(corpus))
    stage2("train", "--model", model_dir, "--epochs", 1)
    before = tree(out)
    for command in (
        ["train", "--model", out / files.SHIPPED_MODEL, "--epochs", 1, "--data", out / files.HARD],
        ["mine", "--model", model_dir, "--data", out / files.HARD],
    ):
        result = stage2(*command, exit_code=2)
        assert "would replace it, and it is read" in result.stderr
        assert tree(out) == before


@pytest.mark.parametrize("content", ["", "{", "[]", '{"stages": []}', '{"files": 3}'])
def test_a_damaged_record_is_refused(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path, content: str
) -> None:
    out = tmp_path / "out"
    stage2("prepare", *data_flags(corpus))
    (out / files.RUN).write_text(content)
    before = tree(out)
    for command in (["prepare", *data_flags(corpus), "--overwrite"], ["report"]):
        assert str(out / files.RUN) in stage2(*command, exit_code=2).stderr
    assert tree(out) == before
