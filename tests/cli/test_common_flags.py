"""Every command can be quiet, talkative, or speak JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from stage2.cli.main import program
from tests.conftest import Stage2, data_flags


def commands(group: click.Group = program) -> Iterator[tuple[str, click.Command]]:
    for name, found in group.commands.items():
        if isinstance(found, click.Group):
            for inner, one in commands(found):
                yield f"{name} {inner}", one
        else:
            yield name, found


EVERY = dict(commands())


@pytest.mark.parametrize("name", EVERY)
def test_every_command_has_them(name: str) -> None:
    flags = {flag for one in EVERY[name].params for flag in one.opts}
    assert {"--json", "-q", "-v"} <= flags


def test_quiet_leaves_results_and_warnings(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path
) -> None:
    config = tmp_path / "stage2.toml"
    config.write_text("format = 'beir'\n")
    done = stage2("prepare", *data_flags(corpus), "--config", config, "-q")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"warning: {config}: format = beir has no effect here")
    assert not done.stdout


def test_verbose_has_the_time_and_the_settings_given(
    stage2: Stage2, corpus: dict[str, Path]
) -> None:
    told = stage2("prepare", *data_flags(corpus), "-v", "--negatives", 4).stderr.splitlines()
    assert any(line.endswith(" s] negatives = 4 (flag)") for line in told)
    assert all(line.startswith("[") for line in told)
    assert not any("on_error" in line for line in told)


def test_quiet_and_verbose_exclude_each_other(stage2: Stage2) -> None:
    assert "exclude each other" in stage2("prepare", "-q", "-v", exit_code=2).stderr


def test_json_is_one_document(stage2: Stage2, corpus: dict[str, Path], tmp_path: Path) -> None:
    done = stage2("prepare", *data_flags(corpus), "--json")
    document = json.loads(done.stdout)
    out = tmp_path / "out"
    assert document.pop("stage2").count(".") == 2
    assert document == {
        "schema": 1,
        "command": "prepare",
        "exit_code": 0,
        "output_dir": str(out),
        "files": [str(out / "constructed_data.jsonl")],
        "result": {"samples": 12},
    }
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line["level"] for line in told} == {"info"}
    assert told[-1]["message"].startswith("samples: 12 in")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--topk", "0"], "--topk is 0"),
        (["--tpok", "1"], "--topk"),
        (["--on-error", "x"], "--on-error"),
        (["--qa", "nowhere"], "nowhere: no such file"),
    ],
)
def test_with_json_a_refusal_is_json(words: list[str], said: str) -> None:
    done = CliRunner().invoke(program, ["mine", *words, "--json"])
    assert done.exit_code == 2
    assert not done.stdout
    (line,) = done.stderr.splitlines()
    error = json.loads(line)
    assert (error["level"], error["exit_code"]) == ("error", 2)
    assert said in error["message"]


def test_a_call_does_not_keep_the_flags_of_the_one_before(stage2: Stage2) -> None:
    stage2("help", "--json", "-q")
    assert stage2("help").stdout.startswith("Topics\n")
