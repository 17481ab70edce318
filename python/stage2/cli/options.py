"""The flags of commands. A command has a flag for each setting that it uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import click
from click.shell_completion import CompletionItem

from stage2.config import OWN, SETTINGS, RunConfig
from stage2.usage import USES
from stage2.utils.errors import one_line

Decorator = Callable[[Any], Any]

# The key in the context of a call under which the notes on repeated flags are kept.
_NOTES = f"{__name__}.notes"


class Flag(click.Option):
    """A flag of which no value is lost when it is given again.

    A flag that takes a list with commas, such as `K,K`, takes all that is given. Of one that takes
    a single value the last counts, so that a script can override what stands before; if the values
    differ, `notes_on_repeats` says so.
    """

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Let the parser keep every value, and not the last alone."""
        kept, self.multiple = self.multiple, not self.count
        try:
            super().add_to_parser(parser, ctx)
        finally:
            self.multiple = kept

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        """Join the values of a list, or take the last value and note the others."""
        given = opts.get(str(self.name))
        if self.multiple or self.count or not isinstance(given, list):
            return super().handle_parse_result(ctx, opts, args)
        values = list(dict.fromkeys(given))
        if "," in (self.metavar or ""):
            one = ",".join(values)
        else:
            one = given[-1]
            if len(values) > 1 and not ctx.resilient_parsing:
                self._note(ctx, [value for value in values if value != one], one)
        return super().handle_parse_result(ctx, {**opts, str(self.name): one}, args)

    def _note(self, ctx: click.Context, others: Sequence[Any], last: Any) -> None:
        if isinstance(last, bool):
            words = {True: self.opts[0], False: (self.secondary_opts or self.opts)[0]}
            told = f"{words[last]}, the last of both, counts, and not {words[not last]}"
        else:
            told = f"the last value of {self.opts[0]}, {last!r}, counts, and not "
            told += " or ".join(map(repr, others))
        ctx.meta.setdefault(_NOTES, []).append(one_line(told))


def flag(*names: str, **more: Any) -> Decorator:
    """Decorate a command with a `Flag`, as `click.option` does with one of its own."""
    return click.option(*names, cls=Flag, **more)


def notes_on_repeats(ctx: click.Context) -> list[str]:
    """Return what is to be said of flags that were given more than once, with other values."""
    found: list[str] = ctx.meta.get(_NOTES, [])
    return found


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


config_option: Decorator = flag(
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
    word = f"--{name.replace('_', '-')}"
    if meta["kind"] is bool:
        if default:
            word = f"{word}/--no-{name.replace('_', '-')}"
        return flag(word, is_flag=True, default=default, help=meta["help"], show_default=default)
    kind = click.Choice(tuple(meta["choices"])) if meta["choices"] else meta["kind"]
    return flag(
        word,
        type=kind if meta["choices"] or kind is not str else TextType(meta["metavar"]),
        default=default,
        help=meta["help"],
        metavar=meta["metavar"],
        show_default=default is not None and "Default" not in meta["help"],
    )
