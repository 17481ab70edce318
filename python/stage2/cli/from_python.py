"""A call of a function of Python as a call of a command: its settings, its data, its session."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from stage2.cli import console, refusals
from stage2.cli import main as _main  # noqa: F401 - its commands join the program
from stage2.cli.command import Resolved, SettingsCommand, program
from stage2.cli.program import check_present
from stage2.config import SETTINGS, Settings, default
from stage2.config_file import nearest, read_toml
from stage2.data.dataset import Dataset
from stage2.data.in_memory import as_files
from stage2.utils.errors import BadInputError

if TYPE_CHECKING:
    from stage2.keywords import Path as AnyPath

OnStep = Callable[[str, int, int], object]
OnEpoch = Callable[[dict[str, Any]], object]


def command_of(name: str) -> SettingsCommand:
    """Return a command of the program that works with settings."""
    command = program.commands[name]
    if not isinstance(command, SettingsCommand):
        raise TypeError(f"{name} is no command with settings")
    return command


def settings_given(command: SettingsCommand, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a call, with paths as text.

    Raises:
        TypeError: the command has no such setting.
    """
    for name in keywords.keys() - {*command.names}:
        raise TypeError(
            f"stage2.{command.name}() has no keyword {name!r}; {nearest(name, command.names)}"
        )
    return {
        name: os.fspath(value) if isinstance(value, os.PathLike) else value
        for name, value in keywords.items()
    } | _named_loss(keywords.get("loss"))


def session_of(
    verbose: bool,
    progress: bool,
    on_step: OnStep | None = None,
    on_epoch: OnEpoch | None = None,
) -> console.Session:
    """Return how a call speaks; the arguments are those of `api.run`."""
    session = console.Session() if verbose else console.quiet()
    session.progress, session.on_step, session.on_epoch = progress, on_step, on_epoch
    return session


def call(
    name: str,
    work: Callable[[Resolved], None],
    session: console.Session,
    keywords: Mapping[str, Any],
    base: Settings | None,
    preset: str | None,
    config: AnyPath | None,
    extra: Mapping[str, Any] | None = None,
) -> str:
    """Resolve the settings of a command, do its work, and return its folder.

    Args:
        name: the name of the command.
        work: what the command does with its settings.
        session: how it speaks.
        keywords: the settings that the caller gave; `data` may be in memory.
        base: all settings, or None.
        preset: the name of a preset, or None.
        config: a settings file, or None.
        extra: the values of flags that are no settings, by name.

    Raises:
        BadInputError: the settings are wrong.
    """
    command = command_of(name)
    given = settings_given(command, keywords)
    written, source = _written(base, preset, config)
    if preset is not None and preset not in command.presets:
        raise BadInputError(f"preset is {preset!r}; expected {' or '.join(command.presets)}")
    folder: str = given.get("output_dir") or written.get("output_dir", default("output_dir"))
    session.command = name
    with console.session(session), console.library_messages(), _on_disk(given, folder) as given:
        found = command.resolve_given(given, dict(extra or {}), preset, written, source)
        check_present(found.settings, command.names)
        work(found)
    return os.fspath(folder)


@contextmanager
def quietly(name: str, verbose: bool) -> Iterator[None]:
    """Let a command speak as a function should inside the context."""
    session = session_of(verbose, False)
    session.command = name
    with console.session(session), console.library_messages():
        yield


@contextmanager
def without_folder(name: str, given: Mapping[str, Any], verbose: bool) -> Iterator[Resolved]:
    """Yield the settings of a command that has no run folder; what is in memory is in files."""
    command = command_of(name)
    with quietly(name, verbose), TemporaryDirectory() as folder, _on_disk(given, folder) as named:
        if isinstance(given.get("data"), Dataset):
            # The texts are as the data set has them: with the titles if it has joined them.
            named.setdefault("title", "ignore")
        settings = {key: value for key, value in named.items() if key in command.names}
        extra = {} if "data" in command.names else {"in_path": named.get("data")}
        found = command.resolve_given(settings, extra, None, {}, "")
        check_present(found.settings, command.names)
        yield found


def _named_loss(loss: Any) -> dict[str, str]:
    """Return the name of a loss that is given as a function; nothing if none is."""
    if not callable(loss):
        return {}
    from stage2.training.own_loss import add_loss

    return {"loss": add_loss(getattr(loss, "__name__", repr(loss)), loss)}


def _written(
    base: Settings | None, preset: str | None, config: AnyPath | None
) -> tuple[dict[str, Any], str]:
    """Return the settings that stand in `base` or in a file, and what it is."""
    if base is None:
        return ({}, "") if config is None else (read_toml(config), f"file {os.fspath(config)}")
    if preset is not None or config is not None:
        raise BadInputError("settings holds all settings; expected it without preset and config")
    return {name: getattr(base, name) for name in SETTINGS}, "settings"


@contextmanager
def _on_disk(given: Mapping[str, Any], folder: str) -> Iterator[dict[str, Any]]:
    """Yield the settings of a call, with the paths of files where `data` is in memory."""
    data = given.get("data")
    if data is None or isinstance(data, str):
        yield dict(given)
        return
    others = {name: value for name, value in given.items() if name != "data"}
    with ExitStack() as stack:
        try:
            named = stack.enter_context(as_files(data, Path(folder)))
        except OSError as error:
            raise refusals.impossible(Path(folder), error) from error
        if twice := sorted(named.keys() & {n for n, value in others.items() if value is not None}):
            raise BadInputError(
                f"{' and '.join(twice)} and data are given; a data set in memory says both"
            )
        yield {**others, **named}
