"""The commands that work on no data join the program, each with an example."""

from __future__ import annotations

import click
from click.testing import CliRunner

from stage2.cli import tools
from stage2.cli.main import program


def test_they_join_the_program() -> None:
    assert program.commands["cache"] is tools.cache
    assert program.commands["config"] is tools.config_group
    assert {"completion", "help"} <= program.commands.keys()


def test_each_of_a_group_has_an_example() -> None:
    for group in (tools.cache, tools.config_group):
        assert isinstance(group, click.Group)
        for name in group.commands:
            shown = CliRunner().invoke(program, [str(group.name), name, "--help"]).output
            assert f"stage2 {group.name} {name}" in shown
