"""The flags of commands follow from the settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
import pytest

from stage2.cli.main import program
from stage2.cli.options import Flag, flags_of, notes_on_repeats, option
from stage2.config import SETTINGS, Settings
from stage2.presets import RUN_DEFAULTS
from stage2.usage import USES
from tests.conftest import Stage2


def parameter(name: str, defaults: dict[str, object] | None = None) -> click.Option:
    command = click.command()(option(name, defaults or {})(lambda: None))
    (found,) = command.params
    assert isinstance(found, click.Option)
    return found


@pytest.mark.parametrize("name", SETTINGS)
def test_a_flag_has_the_name_the_help_and_the_default_of_its_setting(name: str) -> None:
    found = parameter(name)
    assert found.opts == [f"--{name.replace('_', '-')}"]
    assert found.name == name
    assert found.help == SETTINGS[name].metadata["help"]
    assert found.get_default(click.Context(click.Command("x"))) == getattr(Settings(), name)


def test_a_command_may_have_a_default_of_its_own() -> None:
    assert parameter("epochs", {"epochs": 2}).default == 2 != parameter("epochs").default


def test_what_is_on_by_default_can_be_switched_off() -> None:
    on = [name for name, item in SETTINGS.items() if item.default is True]
    assert on
    for name in on:
        assert parameter(name).secondary_opts == [f"--no-{name.replace('_', '-')}"]


def test_a_command_has_the_flags_that_its_stages_use() -> None:
    found = flags_of(("prepare",), also=("epochs",))
    assert len(set(found)) == len(found)
    assert {"qa", "negatives", "epochs", "output_dir", "seed"} <= set(found)
    assert "margin" not in found
    used = {name for name, use in USES.items() if "train" in (*use.decides, *use.serves)}
    assert used <= set(flags_of(("train",)))
    assert RUN_DEFAULTS.keys() <= set(flags_of(("mine", "train")))


def every_flag() -> list[tuple[str, click.Option]]:
    """List the options of all commands, with the names of the commands."""
    found, groups = list[tuple[str, click.Option]](), [("", program)]
    while groups:
        path, group = groups.pop()
        for name, one in group.commands.items():
            if isinstance(one, click.Group):
                groups.append((f"{path}{name} ", one))
            else:
                options = [flag for flag in one.params if isinstance(flag, click.Option)]
                found += [(f"{path}{name}", flag) for flag in options]
    return found


def test_no_value_of_any_flag_can_be_lost_unsaid() -> None:
    found = every_flag()
    assert len(found) > 200
    assert all(isinstance(one, Flag) or one.multiple for _, one in found)
    lists = {one.opts[0] for _, one in found if "," in (one.metavar or "") and not one.multiple}
    assert lists == {"--guard", "--recall-at", "--report-to", "--matryoshka", "--columns"}


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[dict[str, Any], list[str]]]:
    """Return a function that returns what a call gives a command, and the notes on it."""

    def resolved(name: str, *words: str) -> tuple[dict[str, Any], list[str]]:
        with program.commands[name].make_context(name, list(words)) as ctx:
            return ctx.params, notes_on_repeats(ctx)

    return resolved


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--guard", "a", "--guard", "b,c"], "guard", "a,b,c"),
        (["--recall-at", "5", "--recall-at", "20,50", "--recall-at", "5"], "recall_at", "5,20,50"),
        (["--report-to", "wandb", "--report-to", "mlflow"], "report_to", "wandb,mlflow"),
        (["--matryoshka=32", "--matryoshka=16"], "matryoshka", "32,16"),
        (["--columns", "question=q", "--columns", "answer=a"], "columns", "question=q,answer=a"),
    ],
)
def test_a_list_that_is_given_again_means_both(
    resolve: Any, words: list[str], name: str, value: str
) -> None:
    params, notes = resolve("run", *words)
    assert params[name] == value
    assert notes == []


@pytest.mark.parametrize(
    ("words", "name", "value", "note"),
    [
        (["--epochs", "3", "--epochs", "4"], "epochs", 4,
         "the last value of --epochs, '4', counts, and not '3'"),
        (["--epochs", "3", "--epochs", "4", "--epochs", "3"], "epochs", 3,
         "the last value of --epochs, '3', counts, and not '4'"),
        (["--loss", "margin", "--loss", "infonce", "--loss", "in-batch"], "loss", "in-batch",
         "the last value of --loss, 'in-batch', counts, and not 'margin' or 'infonce'"),
        (["--no-bm25", "--bm25"], "bm25", True,
         "--bm25, the last of both, counts, and not --no-bm25"),
        (["--epochs", "3", "--epochs=3"], "epochs", 3, None),
        (["--overwrite", "--overwrite"], "overwrite", True, None),
    ],
)  # fmt: skip
def test_of_a_single_value_the_last_counts_and_it_is_said(
    resolve: Any, words: list[str], name: str, value: object, note: str | None
) -> None:
    params, notes = resolve("run", *words)
    assert params[name] == value
    assert notes == ([] if note is None else [note])


def test_what_is_said_of_a_flag_given_twice_is_a_warning(stage2: Stage2) -> None:
    """It is there with --quiet, wherever that flag stands, and once."""
    said = stage2("cache", "info", "--embedding-cache", "off", "--embedding-cache", "a\nb", "-q")
    note = r"warning: the last value of --embedding-cache, 'a\nb', counts, and not 'off'"
    assert said.stderr.splitlines().count(note) == 1
