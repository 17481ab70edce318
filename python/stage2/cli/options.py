"""The flags of commands. A command has a flag for each setting that it uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import click
from click.shell_completion import CompletionItem

from stage2.config import OWN, SETTINGS, RunConfig
from stage2.usage import USES

Decorator = Callable[[Any], Any]


class TextType(click.types.StringParamType):
    """Text whose completion follows from its name in the help, such as `auto|off|DIR`.

    Words in small letters are values, DIR stands for a folder, and FILE and PATH for a file.
    """

    def __init__(self, metavar: str | None) -> None:
        self._words = (metavar or "").split("|")

    def shell_complete(
        self, _: click.Context, __: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """List the values that begin with `incomplete`, and let the shell complete paths."""
        found = [
            CompletionItem(word)
            for word in self._words
            if word.islower() and word.startswith(incomplete)
        ]
        if any(word.startswith(("FILE", "PATH")) for word in self._words):
            found.append(CompletionItem(incomplete, type="file"))
        elif "DIR" in self._words:
            found.append(CompletionItem(incomplete, type="dir"))
        return found


config_option: Decorator = click.option(
    "--config",
    type=TextType("FILE"),
    metavar="FILE",
    help="Settings as TOML, such as a run's settings.toml; a flag overrides it.",
)


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
    kind = click.Choice(tuple(meta["choices"])) if meta["choices"] else meta["kind"]
    return click.option(
        flag,
        type=kind if meta["choices"] or kind is not str else TextType(meta["metavar"]),
        default=default,
        help=meta["help"],
        metavar=meta["metavar"],
        show_default=default is not None,
    )
