"""`stage2 help`: topics made from the tables of the program, and the help of commands."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from stage2.cli.commands.help_topics import TOPICS
from stage2.cli.main import program
from stage2.utils import files
from stage2.variants import EXPORTS, FORMATS
from tests.conftest import Stage2


def test_alone_it_lists_the_topics(stage2: Stage2) -> None:
    shown = stage2("help").stdout
    for name, topic in TOPICS.items():
        assert f"stage2 help {name}" in shown
        assert topic.text in shown


@pytest.mark.parametrize(
    ("topic", "names"),
    [
        ("formats", [*FORMATS, *EXPORTS, "--qa"]),
        ("metrics", ["Top-k", "Recall@k", "MRR", "nDCG@10", "Mean rank"]),
        ("files", [files.HARD, files.COMPARISON, files.SHIPPED_MODEL]),
    ],
)
def test_a_topic_has_all_that_is_in_the_tables(
    stage2: Stage2, topic: str, names: list[str]
) -> None:
    shown = stage2("help", topic).stdout
    rows = {line.split()[0] for line in shown.splitlines() if line.startswith("  ")}
    assert {name.split()[0] for name in names} <= rows
    parts = json.loads(stage2("help", topic, "--json").stdout)["result"]["parts"]
    told = {name: text for part in parts.values() for name, text in part.items()}
    assert set(names) <= told.keys()
    assert all(told.values())


@pytest.mark.parametrize("words", [["mine"], ["cache", "info"], ["config", "show"]])
def test_the_help_of_a_command_is_its_own(words: list[str]) -> None:
    helped = CliRunner().invoke(program, ["help", *words])
    own = CliRunner().invoke(program, [*words, "--help"])
    assert helped.exit_code == own.exit_code == 0
    assert helped.stdout == own.stdout


def test_what_is_neither_topic_nor_command(stage2: Stage2) -> None:
    assert "did you mean metrics?" in stage2("help", "metric", exit_code=2).stderr
    assert "did you mean mine?" in stage2("help", "mien", exit_code=2).stderr
    assert "has no commands of its own" in stage2("help", "mine", "x", exit_code=2).stderr
