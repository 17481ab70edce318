"""The flags of commands follow from the settings."""

from __future__ import annotations

import click
import pytest

from stage2.cli.options import flags_of, option
from stage2.config import SETTINGS, Settings
from stage2.presets import RUN_DEFAULTS
from stage2.usage import USES


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
