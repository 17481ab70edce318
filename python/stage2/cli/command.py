"""The making of commands: the program, and how a command gets its flags and its settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias

import click
from click.shell_completion import CompletionItem

from stage2.call import Call
from stage2.cli import console
from stage2.cli.mining_defaults import for_the_data
from stage2.cli.options import Decorator, config_option, flag, flags_of, option
from stage2.cli.program import Command, Program, check_present
from stage2.config import SETTINGS, Settings
from stage2.config_file import nearest, read_toml
from stage2.models.model_path import found_model
from stage2.usage import check_given, missing, unused

CallsOf: TypeAlias = Callable[[Settings, str, Mapping[str, Any]], list[Call]]


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stage2", message="stage2 %(version)s")
@flag("--debug", is_flag=True, help="Show the traceback of an error.")
def program(debug: bool) -> None:
    r"""Find the questions that a retrieval model gets wrong, train on them, prove it helped.

    \b
    stage2 run                         everything, on the built-in sample
    stage2 run --qa qa.json --chunks chunks.jsonl --entities entities.jsonl
    stage2 mine --topk 3 --qa …        only the hard examples
    stage2 help                        topics: formats, metrics, files
    """


def one_call(settings: Settings, name: str, extra: Mapping[str, Any]) -> list[Call]:
    """Return the single call of a command that does one thing with its settings."""
    return [Call(settings, name, tuple(extra.get("models", ())))]


def calls_of_convert(settings: Settings, name: str, extra: Mapping[str, Any]) -> list[Call]:
    """Return the single call of a conversion, whose source stands for --data."""
    return [Call(replace(settings, data=extra["in_path"]), name)]


@dataclass(frozen=True)
class Resolved:
    """The settings of a call, and where each of them comes from.

    Attributes:
        settings: the settings.
        extra: the values of flags that are no settings, by name.
        calls: the calls that the command makes.
        written: the settings that stand in the file of --config.
        origins: for each setting of the command the place that its value comes from.
    """

    settings: Settings
    extra: dict[str, Any]
    calls: list[Call]
    written: Mapping[str, Any]
    origins: Mapping[str, str]

    def counts(self, name: str) -> bool:
        """Return whether one of the calls uses a setting."""
        return any(not missing(name, call) for call in self.calls)


class SettingsCommand(Command):
    """A command that works with `Settings`.

    Attributes:
        names: the settings that have a flag.
        defaults: the command's own defaults, where they differ from those of `Settings`.
        presets: the settings of each preset, by its name.
        calls_of: a function that returns the calls that the command makes.
    """

    def __init__(
        self,
        *args: Any,
        names: tuple[str, ...],
        defaults: Mapping[str, Any],
        presets: Mapping[str, Mapping[str, Any]],
        calls_of: CallsOf,
        **more: Any,
    ) -> None:
        super().__init__(*args, **more)
        self.names, self.defaults, self.presets = names, defaults, presets
        self.calls_of = calls_of

    def resolve(self, ctx: click.Context) -> Resolved:
        """Gather the settings of a call from its flags, its file, its preset and defaults.

        Raises:
            BadInputError: the file is wrong, a value is out of range, or a flag has no effect.
        """
        flags = dict(ctx.params)
        config = flags.pop("config")
        preset = flags.pop("preset") if self.presets else None
        extra = {name: flags.pop(name) for name in list(flags) if name not in SETTINGS}
        given = {
            name: value
            for name, value in flags.items()
            if ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
        }
        written = read_toml(config) if config is not None else {}
        return self.resolve_given(given, extra, preset, written, f"file {config}")

    def resolve_given(
        self,
        given: Mapping[str, Any],
        extra: dict[str, Any],
        preset: str | None,
        written: Mapping[str, Any],
        source: str,
    ) -> Resolved:
        """Gather the settings of a call from what the user gave, a preset and defaults.

        Args:
            given: the settings that the user named in the call; None is for no value.
            extra: the values of flags that are no settings, by name.
            preset: the name of a preset, or None.
            written: the settings that stand in a file or the like, by name.
            source: what that is.

        Raises:
            BadInputError: as in `resolve`.
        """
        of_preset = self.presets.get(preset or "", {})
        values = {**self.defaults, **of_preset, **written, **given}
        named = {name for name, value in given.items() if value is not None}
        stated = frozenset(named) | of_preset.keys() | written.keys()
        settings = Settings(**values, given=frozenset(named), stated=stated)
        if settings.model is not None and "model" in self.names:
            settings = replace(settings, model=found_model(settings.model))
        if settings.before_model is not None and "before_model" in self.names:
            settings = replace(settings, before_model=found_model(settings.before_model))
        if "models" in extra:
            extra["models"] = tuple(map(found_model, extra["models"]))
        settings = for_the_data(settings, str(self.name), self.names)
        calls = self.calls_of(settings, str(self.name), extra)
        check_given(named, calls)
        origins = (
            dict.fromkeys(self.names, "default")
            | dict.fromkeys(of_preset, f"preset {preset}")
            | dict.fromkeys(written, source)
            | dict.fromkeys(given, "flag")
        )
        origins = {name: origins[name] for name in self.names}
        # A settings file serves many calls, so a useless setting gives only a warning.
        for sentence in unused(written.keys() & {*self.names} - given.keys(), calls):
            console.warn(f"{source.removeprefix('file ')}: {sentence}")
        return Resolved(settings, extra, calls, written, origins)


class CommandName(click.ParamType):  # type: ignore[type-arg]
    """The name of a command that works with settings."""

    name = "command"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> SettingsCommand:
        """Return the command, or name the one that the value resembles."""
        if isinstance(value, SettingsCommand):
            return value
        if value not in (known := self.known()):
            self.fail(f"{value!r} is no command with settings; {nearest(value, known)}", param, ctx)
        return known[value]

    def shell_complete(
        self, _: click.Context, __: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """List the commands that begin with `incomplete`."""
        return [CompletionItem(name) for name in self.known() if name.startswith(incomplete)]

    @staticmethod
    def known() -> dict[str, SettingsCommand]:
        """Return the commands by their names."""
        every = program.commands.items()
        return {name: one for name, one in every if isinstance(one, SettingsCommand)}


def command(
    *stages: str,
    example: str,
    also: Sequence[str] = (),
    without: Sequence[str] = (),
    more: Sequence[Decorator] = (),
    presets: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    defaults: Mapping[str, Any] = MappingProxyType({}),
    calls_of: CallsOf = one_call,
    plans: bool = False,
) -> Callable[[Callable[..., None]], click.Command]:
    """Make a command from a function of `Settings`, with a flag for each setting that it uses.

    A preset overrides the command's own defaults, a settings file overrides the preset, and a flag
    overrides both. A flag is refused if it has no effect on any call that `calls_of` returns.

    Args:
        stages: the stages that the command does. The settings that they use become its flags.
        example: an example of a call, for the help text.
        also: further settings that become flags.
        without: settings that get no flag, although the stages use them.
        more: flags that are not settings.
        presets: the settings of each preset, by its name.
        defaults: the command's own defaults, where they differ from those of `Settings`.
        calls_of: a function that returns the calls that the command makes.
        plans: whether the command has --dry-run; see `Command`.
    """
    names = tuple(name for name in flags_of(stages, also) if name not in without)

    def wrap(function: Callable[..., None]) -> click.Command:
        @click.pass_context
        def call(ctx: click.Context, /, **_: Any) -> None:
            of = ctx.command
            if not isinstance(of, SettingsCommand):
                raise TypeError(f"{ctx.command_path} is no command with settings")
            resolved = of.resolve(ctx)
            check_present(resolved.settings, names)
            for name, origin in resolved.origins.items():
                if origin != "default" and resolved.counts(name):
                    console.detail(f"{name} = {getattr(resolved.settings, name)} ({origin})")
            function(resolved.settings, **resolved.extra)

        call = config_option(call)
        if presets:
            call = flag(
                "--preset",
                type=click.Choice(list(presets)),
                help="reference: the recipe of the reference experiment, --split none included; "
                "small: ten epochs, for few questions. Settings and flags override it.",
            )(call)
        options = [option(name, defaults) for name in reversed(names)]
        for decorate in (*more, *options):
            call = decorate(call)
        return program.command(
            name=function.__name__,
            cls=SettingsCommand,
            help=f"{inspect.getdoc(function)}\n\n\b\nExample:\n  {example}",
            names=names,
            defaults=defaults,
            presets=presets,
            calls_of=calls_of,
            plans=plans,
        )(call)

    return wrap
