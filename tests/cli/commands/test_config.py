"""`stage2 config`: the file it writes, the settings it shows, the faults it names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stage2.cli.command import CommandName
from stage2.config import SETTINGS
from stage2.config_file import read_toml
from tests.conftest import Stage2


@pytest.mark.parametrize("name", CommandName.known())
def test_a_written_file_sets_nothing_until_it_is_changed(
    stage2: Stage2, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "new.toml"
    stage2("config", "init", name, "--file", path)
    assert read_toml(path) == {}
    command = CommandName.known()[name]
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text(
        "\n".join(line[1:] for line in lines if line.startswith("#") and line[1:2] != " ")
        .replace('"SIZE"', '"1GB"').replace('"D,D"', '"2,1"')
    )  # fmt: skip
    found = read_toml(path)
    assert tuple(found) == command.names
    for setting, value in found.items():
        default = command.defaults.get(setting, SETTINGS[setting].default)
        assert default is None or value == default
    for setting in found:
        assert f"# {SETTINGS[setting].metadata['help']}" in "\n".join(lines)


def test_nothing_is_replaced(stage2: Stage2, tmp_path: Path) -> None:
    path = tmp_path / "kept.toml"
    path.write_text("epochs = 1\n")
    refused = stage2("config", "init", "run", "--file", path, exit_code=2)
    assert "is there already" in refused.stderr
    assert path.read_text() == "epochs = 1\n"


def test_what_is_shown_is_toml_with_origins(stage2: Stage2, tmp_path: Path) -> None:
    call = ["config", "show", "run", "--preset", "small", "--epochs", 3]
    shown = stage2(*call)
    path = tmp_path / "shown.toml"
    path.write_text(shown.stdout)
    found = read_toml(path)
    assert (found["epochs"], found["batch_size"]) == (3, 64)
    assert "epochs = 3  # flag\n" in shown.stdout
    assert "batch_size = 64  # preset small\n" in shown.stdout
    assert "#qa =  # default, not set\n" in shown.stdout
    # --loss in-batch takes no margin.
    assert "margin" not in found
    assert "more settings have no effect in this call" in shown.stderr
    settings = json.loads(stage2(*call, "--json").stdout)["result"]["settings"]
    assert settings["epochs"] == {"value": 3, "from": "flag"}
    assert settings["qa"] == {"value": None, "from": "default"}


def test_a_wrong_flag_is_refused_as_by_the_command(stage2: Stage2) -> None:
    assert "--epochs" in stage2("config", "show", "run", "--epochz", 3, exit_code=2).stderr
    refused = stage2("config", "show", "run", "--margin", 0.2, exit_code=2)
    assert "has no effect here" in refused.stderr


def test_every_fault_is_named_with_its_line(stage2: Stage2, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('epoch = 3\nseed = 1\ntopk = "x"\n\nmatryoshka = "3,3"\nmargin = -1.0\n')
    refused = stage2("config", "check", path, exit_code=2)
    assert [line.split(": ", 2)[:2] for line in refused.stdout.splitlines()] == [
        [f"{path}:1", "'epoch' is no setting; did you mean epochs?"],
        [f"{path}:3", "--topk is 'x'; expected a whole number"],
        [f"{path}:5", "--matryoshka is '3,3'; expected different whole numbers from 1 with commas "
         "between them, such as 10,100"],
        [f"{path}:6", "--margin is -1.0; expected a number, 0 or more"],
    ]  # fmt: skip
    assert refused.stderr == f"error: {path}: 4 lines are wrong\n"
    document = json.loads(stage2("config", "check", path, "--json", exit_code=2).stdout)
    assert document["exit_code"] == 2
    assert len(document["result"]["problems"]) == 4


def test_a_right_file_and_a_file_that_is_not_toml(stage2: Stage2, tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("epochs = 3\n")
    assert stage2("config", "check", path).stdout == f"{path}: 1 settings, all right\n"
    path.write_text("epochs = 3\ntopk = = 3\n")
    assert f"{path}:2:8: not TOML" in stage2("config", "check", path, exit_code=2).stdout
