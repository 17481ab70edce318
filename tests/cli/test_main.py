"""The command line: files, exit codes, messages and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from stage2.cli.main import program
from stage2.config import SETTINGS
from stage2.config_file import read_toml
from stage2.utils import files
from tests.conftest import COMMANDS, Stage2, data_flags, read_jsonl


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = CliRunner().invoke(program, [name, "--help"])
    assert result.exit_code == 0
    assert f"stage2 {name}" in result.output.split("Example:")[1]
    assert "\\b" not in result.output
    for option in program.commands[name].params:
        # The help of a command says what its arguments are; click has no help of their own.
        context = click.Context(program.commands[name])
        told = isinstance(option, click.Argument) and option.make_metavar(context) in result.output
        described = told or getattr(option, "help", None)
        assert described, f"{option.name} has no help"


def test_every_setting_is_a_flag_of_some_command() -> None:
    flags = {option.name for command in program.commands.values() for option in command.params}
    assert set(SETTINGS) <= flags


def test_prepare_then_mine_then_train_then_evaluate_then_report(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    stage2("prepare", *data_flags(corpus))
    before = (out / files.CONSTRUCTED).read_bytes()
    stage2("mine", "--source", "candidates", "--model", model_dir, *data_flags(corpus))
    assert (out / files.CONSTRUCTED).read_bytes() == before
    stage2("train", "--model", model_dir, "--split", "none", "--epochs", 2)
    log = read_jsonl(out / files.TRAINING_LOG)
    assert [row["epoch"] for row in log] == [0, 1, 2]
    assert log[0]["loss"] is None
    assert all(row["dev"]["mrr"] > 0 for row in log)
    assert sorted(path.name for path in (out / files.CHECKPOINTS).iterdir()) == [
        "best_model_stage2.pt", "epoch_1.pt", "epoch_2.pt",
    ]  # fmt: skip
    result = stage2("evaluate", "--model", model_dir, "--model", out / "model")
    comparison = json.loads((out / files.COMPARISON).read_text())
    assert comparison["sets"][0]["num_queries"] == 12
    assert "Top-1" in result.stdout
    stage2("report")
    assert (out / files.REPORT).is_file()


def test_settings_file_makes_the_same_run(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("mine", "--topk", 2, "--model", model_dir, *data_flags(corpus))
    saved = tmp_path / "out" / files.SETTINGS
    stage2("mine", "--config", saved, "--output-dir", tmp_path / "again")
    for name in (files.CONSTRUCTED, files.EVALUATION, files.HARD, files.MINING_SUMMARY):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    stage2("mine", "--config", saved, "--topk", 1, "--output-dir", tmp_path / "flag")
    assert json.loads((tmp_path / "flag" / files.MINING_SUMMARY).read_text())["topk"] == 1


BAD_FLAGS = [
    (["--topk", 0], "--topk"),
    (["--topk", 21], "only 20 candidates"),
    (["--topk", 7, "--source", "candidates"], "only 6 candidates"),
    (["--negatives", 0], "--negatives"),
    (["--negatives", 400], "400"),
    (["--device", "tpu"], "'tpu'"),
    (["--device", "cuda:99"], "'cuda:99'"),
    (["--model", "missing.pt"], "missing.pt"),
    (["--seed", -1], "--seed"),
    (["--similarity", "vibes"], "vibes"),
]


@pytest.mark.parametrize(("flags", "said"), BAD_FLAGS, ids=str)
def test_bad_usage_changes_nothing(
    flags: list[str], said: str, stage2: Stage2, corpus: dict[str, Path], model_dir: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    result = stage2("mine", "--model", model_dir, *data_flags(corpus), *flags, exit_code=2)
    assert said in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("margin", ["-0.1", "nan", "inf"])
def test_margin_must_be_a_number_from_0(
    margin: str, stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--model", model_dir, *data_flags(corpus), "--margin", margin]
    result = stage2("run", *flags, exit_code=2)
    assert "--margin" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("where", ["file/out", "x" * 300, "/proc/none/out"])
def test_an_output_folder_that_cannot_be(
    where: str, stage2: Stage2, corpus: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = stage2("prepare", *data_flags(corpus), "--output-dir", tmp_path / where, exit_code=2)
    assert "--output-dir" in done.stderr
    assert "no folder can be made there" in done.stderr


def test_config_names_what_is_wrong(stage2: Stage2, tmp_path: Path) -> None:
    config = tmp_path / "stage2.toml"
    for text, said in [
        ("topk = 'three'", "--topk is 'three'; expected a whole number"),
        ("topkk = 3", "'topkk' is no setting"),
        ("topk = ", "not TOML"),
        ("margin = -1.0", "--margin is -1.0; expected a number, 0 or more"),
    ]:
        config.write_text(text, encoding="utf-8")
        result = stage2("mine", "--config", config, exit_code=2)
        assert str(config) in result.stderr
        assert said in result.stderr


def test_a_preset_is_overridden_by_settings_and_flags(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    config = tmp_path / "mine.toml"
    config.write_text("margin = 0.3\ntopk = 2\n")
    flags = [*data_flags(corpus), "--model", model_dir, "--folds", 0, "--epochs", 1]
    stage2("run", "--preset", "reference", "--config", config, "--topk", 1, *flags)
    settings = read_toml(tmp_path / "out" / files.SETTINGS)
    found = {name: settings[name] for name in ("split", "pairs", "epochs", "topk", "margin")}
    assert found == {"split": "none", "pairs": "all", "epochs": 1, "topk": 1, "margin": 0.3}
