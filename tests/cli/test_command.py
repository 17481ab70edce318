"""The settings of a call, and where each comes from; names that are misspelt."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from stage2.cli.command import CommandName, Resolved, program
from stage2.cli.main import program as whole
from stage2.utils.errors import BadInputError


def resolved(name: str, *words: object) -> Resolved:
    command = CommandName.known()[name]
    with command.make_context(name, list(map(str, words)), click.Context(program)) as ctx:
        return command.resolve(ctx)


def test_a_flag_goes_before_the_file_the_file_before_the_preset(tmp_path: Path) -> None:
    config = tmp_path / "a.toml"
    config.write_text("epochs = 7\nbatch-size = 4\n")
    found = resolved("run", "--preset", "small", "--config", config, "--epochs", 9)
    names = ("epochs", "batch_size", "learning_rate", "loss", "seed")
    assert {name: found.origins[name] for name in names} == {
        "epochs": "flag",
        "batch_size": f"file {config}",
        "learning_rate": "preset small",
        "loss": "default",
        "seed": "default",
    }
    values = {name: getattr(found.settings, name) for name in names}
    assert values == {
        "epochs": 9, "batch_size": 4, "learning_rate": 1e-4, "loss": "in-batch", "seed": 0,
    }  # fmt: skip
    assert found.counts("temperature")
    assert not found.counts("margin")


def test_a_flag_without_effect_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"--margin 0\.2 has no effect here"):
        resolved("run", "--margin", 0.2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mien"], "No such command 'mien'; did you mean mine?"),
        (["cache", "inof"], "No such command 'inof'; did you mean info?"),
        (["mine", "--tpok", "3"], "--topk"),
        (["config", "show", "rum"], "'rum' is no command with settings; did you mean run?"),
    ],
)
def test_what_is_misspelt_gets_the_right_name(words: list[str], said: str) -> None:
    done = CliRunner().invoke(whole, words)
    assert done.exit_code == 2
    assert said in done.stderr
