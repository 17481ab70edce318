"""The commands that change data join the program, each with an example."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from stage2.cli import data_commands
from stage2.cli.main import program


@pytest.mark.parametrize("name", ["annotate", "convert", "relabel"])
def test_it_joins_the_program(name: str) -> None:
    assert program.commands[name] is getattr(data_commands, name)
    assert f"stage2 {name}" in CliRunner().invoke(program, [name, "--help"]).output
