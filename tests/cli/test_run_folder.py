"""The folder of a run: what is refused, what is replaced, what was skipped; nothing is lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stage2._core import Dataset
from stage2.cli import folder_lock, inputs
from stage2.cli.commands import evaluate
from stage2.cli.commands import run as run_module
from stage2.cli.main import program
from stage2.cli.run_folder import RunFolder
from stage2.config import Settings
from stage2.usage import read_by
from stage2.utils import files
from stage2.utils.errors import BadInputError, RunFailedError
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
        return RunFolder(out, overwrite=True)

    def overwrites() -> bool:
        with folder() as run:
            return run.overwrites

    stage2("prepare", *data_flags(corpus))
    assert overwrites()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    with folder() as first:
        # What lies there is another run's, although torchrun started this one.
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


USERS_FILES = ("model/weights.bin", "checkpoints/epoch_1.pt", "trials/notes.txt", "split.json")


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_what_no_record_vouches_for_is_never_replaced(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path, overwrite: list[str]
) -> None:
    out = tmp_path / "out"
    for name in USERS_FILES:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("the user's")
    before = tree(out)
    result = stage2("prepare", *data_flags(corpus), *overwrite, exit_code=2)
    assert "unknown run" in result.stderr
    assert "checkpoints/epoch_1.pt" in result.stderr
    assert tree(out) == before


@pytest.mark.parametrize("place", ["model/notes.txt", "checkpoints/notes.txt", "trials/notes.txt"])
def test_files_among_those_of_a_run_are_not_its_own(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path, place: str
) -> None:
    out = tmp_path / "out"
    stage2("mine", "--model", model_dir, *data_flags(corpus))
    (out / place).parent.mkdir(exist_ok=True)
    (out / place).write_text("the user's")
    before = tree(out)
    flags = ["--model", model_dir, *data_flags(corpus), "--topk", 2, "--overwrite"]
    assert place in stage2("mine", *flags, exit_code=2).stderr
    assert tree(out) == before


def test_a_file_that_was_changed_is_neither_replaced_nor_read_back(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    out, flags = tmp_path / "out", ["--model", model_dir, *data_flags(corpus)]
    stage2("mine", *flags)
    hard = out / files.HARD
    hard.write_text(hard.read_text().split("\n", 1)[1])
    before = tree(out)
    for more in ([], ["--overwrite"]):
        assert files.HARD in stage2("mine", *flags, *more, exit_code=2).stderr
    result = stage2("train", "--model", model_dir, "--epochs", 1, exit_code=2)
    assert f"{hard}: damaged, changed or gone" in result.stderr
    assert tree(out) == before
    # Named as an input it is one like any other.
    stage2("train", "--model", model_dir, "--epochs", 1, "--data", hard, "--output-dir",
           tmp_path / "trained")  # fmt: skip


def test_the_record_is_the_first_file(
    stage2: Stage2,
    corpus: dict[str, Path],
    model_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A command that was killed before its second file is gone on with by the same command."""
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


def test_one_command_at_a_time(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_lock, "WAIT", 0.1)
    out = tmp_path / "out"
    settings = Settings(output_dir=str(out))
    with RunFolder(settings.output_dir, reads=read_by(settings)) as first:
        first.begin(Settings(), {"prepare": {}})
        for command in (["prepare", *data_flags(corpus)], ["report"]):
            result = stage2(*command, exit_code=2)
            assert "another command works in it" in result.stderr
            assert f"process {os.getpid()}" in result.stderr
    # The folder came to be between the first look and the first file.
    late = RunFolder(tmp_path / "new")
    stage2("prepare", *data_flags(corpus), "--output-dir", tmp_path / "new")
    with late, pytest.raises(BadInputError, match="another command has just made a run there"):
        late.begin(Settings(), {"prepare": {}})


def test_a_failed_overwrite_leaves_the_earlier_run(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    stage2("mine", "--model", model_dir, *data_flags(corpus))
    stage2("train", "--model", model_dir, "--epochs", 1)
    before = tree(out)
    hopeless = ["--learning-rate", 1e30, "--epochs", 3, "--overwrite"]
    result = stage2("train", "--model", model_dir, *hopeless, exit_code=1)
    assert "what" in result.stderr
    assert "is there again" in result.stderr
    # The files of this run go, so that none of them is promised.
    assert "is kept in" not in result.stderr
    assert tree(out) == before
    hopeless += ["--train-on", "all", "--loss", "margin", "--folds", 0]
    stage2("run", "--model", model_dir, *data_flags(corpus), *hopeless, exit_code=1)
    assert tree(out) == before
    # One that ends leaves nothing of it.
    stage2("mine", "--model", model_dir, *data_flags(corpus), "--topk", 2, "--overwrite")
    assert not (out / files.ASIDE).exists()
    assert not (out / files.CHECKPOINTS).exists()


@pytest.mark.parametrize("between", [["report"], ["audit"], ["audit", "--strict"]])
def test_what_was_set_aside_waits_for_the_command_that_did_so(
    stage2: Stage2,
    corpus: dict[str, Path],
    model_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    between: list[str],
) -> None:
    """A report or an audit of a stopped run neither deletes the earlier run nor brings it back."""
    out, flags = tmp_path / "out", ["--model", model_dir, *data_flags(corpus)]
    stage2("mine", *flags)
    before = tree(out)
    train = ["--epochs", 1, "--batch-size", 4, "--train-on", "all", "--loss", "margin"]
    run = ["run", *flags, *train, "--folds", 0]

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "_trained", stopped)
        stage2(*run, "--overwrite", exit_code=1)
    CliRunner().invoke(program, [*between, "--output-dir", str(out)])
    assert tree(out / files.ASIDE).keys() == before.keys()
    assert "ended" not in files.read_json(out / files.RUN)
    stage2(*run)
    assert not (out / files.ASIDE).exists()
    assert files.read_json(out / files.RUN)["ended"]


def test_a_failed_evaluation_brings_back_what_it_replaced_in_place(
    stage2: Stage2,
    corpus: dict[str, Path],
    model_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`evaluation_results.json` is mining's, and evaluation writes it too."""
    out, flags = tmp_path / "out", ["--model", model_dir, "--similarity", "sentence"]
    stage2("mine", "--model", model_dir, *data_flags(corpus))
    stage2("evaluate", "--model", model_dir)
    before = tree(out)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    with monkeypatch.context() as patch:
        patch.setattr(evaluate, "group_questions", full)
        stage2("evaluate", *flags, "--overwrite", exit_code=1)
    assert tree(out) == before
    stage2("evaluate", *flags, "--overwrite")


def test_a_model_that_train_makes_is_the_folders_own(
    stage2: Stage2, corpus: dict[str, Path], backbone: Path, tmp_path: Path
) -> None:
    stage2("prepare", *data_flags(corpus), "--output-dir", tmp_path / "prepared")
    samples = tmp_path / "prepared" / files.CONSTRUCTED
    made = ["--backbone", backbone, "--no-fit"]
    stage2("train", "--data", samples, *made, "--epochs", 1)
    out = tmp_path / "out"
    record = files.read_json(out / files.RUN)
    assert f"{files.STAGE1_MODEL}/config.json" in record["files"]
    assert record["split"]["train"] + record["split"]["dev"] == 12
    stage2("mine", *data_flags(corpus), *made, "--overwrite")
    assert files.read_json(out / files.RUN).get("split") is None


def test_a_model_of_a_changed_input_does_not_stay(tmp_path: Path) -> None:
    model = tmp_path / "given.pt"
    model.write_text("weights")
    settings = Settings(output_dir=str(tmp_path / "out"), model=str(model))
    with RunFolder(settings.output_dir, reads=read_by(settings)) as run:
        run.begin(Settings(), {"train": {}})
        files.write_text(run / files.SHIPPED_MODEL / "config.json", "{}\n")
        files.write_text(run / files.TRAINING_LOG, "")
        model.write_text("others!!")
        with pytest.raises(RunFailedError, match="changed while it was read"):
            run.done(Settings(), "train", {})
        assert not (run / files.SHIPPED_MODEL / "config.json").exists()
        assert not (run / files.TRAINING_LOG).exists()


def test_a_folder_that_is_deleted_midway_is_an_error(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = RunFolder(out)
    run.begin(Settings(), {"prepare": {}})
    shutil.rmtree(out)
    with pytest.raises(RunFailedError, match="deleted or replaced"):
        run / files.CONSTRUCTED
    out.mkdir()  # another folder under the same name is not the one
    with pytest.raises(RunFailedError, match="deleted or replaced"):
        run.done(Settings(), "prepare", {})
    # At the latest where the command ends: nobody may take what is left for all of it.
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
    """Not by a process number, which another process may have by now."""
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


@pytest.mark.parametrize("how", ["replaced", "rewritten"])
def test_an_input_that_changes_while_it_is_read_is_an_error(
    stage2: Stage2,
    corpus: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    qa = tmp_path / "qa.jsonl"
    qa.write_bytes(corpus["qa"].read_bytes())
    load, out = Dataset.load, tmp_path / "out"

    class Changing:
        """The data set, whose file changes once it was read."""

        @staticmethod
        def load(*arguments: Any) -> Dataset:
            found = load(*arguments)
            text = corpus["qa"].read_text().replace("q00", "q99")
            if how == "replaced":
                (tmp_path / "new").write_text(text)
                os.replace(tmp_path / "new", qa)
            else:
                with qa.open("r+") as file:
                    file.write(text)
                os.utime(qa, (1, 1))
            return found

    monkeypatch.setattr(inputs, "Dataset", Changing)
    flags = data_flags(dict(corpus, qa=qa))
    result = stage2("prepare", *flags, exit_code=1)
    assert f"{qa}: changed while it was read" in result.stderr
    assert not (out / files.CONSTRUCTED).exists()


def test_what_is_mapped_must_not_change_until_it_is_written(tmp_path: Path) -> None:
    qa = tmp_path / "qa.jsonl"
    qa.write_text("{}\n")
    settings = Settings(output_dir=str(tmp_path / "out"), qa=str(qa))
    with RunFolder(settings.output_dir, reads=read_by(settings)) as run:
        run.begin(Settings(), {"prepare": {}})
        files.write_text(run / files.CONSTRUCTED, "{}\n")
        qa.write_text("[]\n\n")
        with pytest.raises(RunFailedError, match="changed while it was read"):
            run.done(Settings(), "prepare", {})
        assert not (run / files.CONSTRUCTED).exists()


def test_what_is_read_is_not_replaced(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    stage2("mine", "--model", model_dir, *data_flags(corpus))
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
