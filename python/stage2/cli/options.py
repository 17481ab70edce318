"""The flags of commands. A command has a flag for each setting that it uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import click

from stage2.config import OWN, SETTINGS, RunConfig
from stage2.usage import USES

Decorator = Callable[[Any], Any]


def flags_of(stages: Sequence[str], also: Sequence[str] = ()) -> list[str]:
    """List the settings that the stages use and those in `also`; those of every command last."""
    every = OWN[RunConfig]
    used = [
        name
        for name, use in USES.items()
        if name in also or not {*use.decides, *use.serves}.isdisjoint(stages)
    ]
    return [*(name for name in used if name not in every), *every]


def option(name: str, defaults: Mapping[str, Any] = MappingProxyType({})) -> Decorator:
    """Make the flag of a setting. Its help, type and default are those of `Settings`.

    The default is another one if the command has its own in `defaults`.
    """
    item = SETTINGS[name]
    default = defaults.get(name, item.default)
    meta = item.metadata
    flag = f"--{name.replace('_', '-')}"
    if meta["kind"] is bool:
        if default:
            flag = f"{flag}/--no-{name.replace('_', '-')}"
        return click.option(
            flag, is_flag=True, default=default, help=meta["help"], show_default=default
        )
    kind = click.Choice(meta["choices"]) if meta["choices"] else meta["kind"]
    return click.option(
        flag,
        type=kind,
        default=default,
        help=meta["help"],
        metavar=meta["metavar"],
        show_default=default is not None,
    )
