"""The files that --overwrite replaces are kept until the command has ended."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from click.testing import CliRunner

from stage2.cli.commands import evaluate
from stage2.cli.commands import run as run_module
from stage2.cli.main import program
from stage2.utils import files
from tests.conftest import Stage2, data_flags, tree


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
    # The files of this run are removed, so the message promises none of them.
    assert "is kept in" not in result.stderr
    assert tree(out) == before
    hopeless += ["--train-on", "all", "--loss", "margin", "--folds", 0]
    stage2("run", "--model", model_dir, *data_flags(corpus), *hopeless, exit_code=1)
    assert tree(out) == before
    # A command that ends leaves none of the replaced files.
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
    """A report or an audit of a stopped run neither deletes nor restores the earlier run."""
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
    """Both mining and evaluation write `evaluation_results.json`."""
    out, flags = tmp_path / "out", ["--model", model_dir, "--similarity", "sentence"]
    stage2("mine", "--model", model_dir, *data_flags(corpus))
    stage2("evaluate", "--model", model_dir)
    before = tree(out)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    with monkeypatch.context() as patch:
        patch.setattr(evaluate, "grouped_questions", full)
        stage2("evaluate", *flags, "--overwrite", exit_code=1)
    assert tree(out) == before
    stage2("evaluate", *flags, "--overwrite")
