"""The parts that all commands share: refusals, messages and exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from stage2.cli import console, dry_run
from stage2.cli.common_flags import JSON_FLAG, common_flags
from stage2.cli.options import notes_on_repeats
from stage2.config import Settings
from stage2.config_file import nearest
from stage2.utils.errors import BadInputError, RunFailedError, exit_code_of, message_of, one_line
from stage2.utils.hub_folder import fetching

# The settings that name the files which a command reads first.
_VECTORS = ("question_vectors", "corpus_vectors", "run")
_READ = (
    *("qa", "chunks", "entities", "data", "dev_data", "split_file", "gazetteer"),
    *(f"{side}{name}" for side in ("", "before_") for name in _VECTORS),
)


def _unwrapped(text: str | None) -> str | None:
    """Make click's mark of a part that is not wrapped of the two letters in a raw docstring."""
    return None if text is None else text.replace(r"\b", "\b")


class Command(click.Command):
    """A command with the flags that all commands have; see `console.Session`.

    With `plans` it has --dry-run too: it must then call `dry_run.plan` before it writes anything,
    as `RunFolder.begin` does for it.
    """

    def __init__(self, *args: Any, plans: bool = False, **more: Any) -> None:
        super().__init__(*args, **more)
        self.help = _unwrapped(self.help)
        self.params += common_flags()
        if plans:
            self.params.append(dry_run.flag())

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, or tell what it would do."""
        console.current().command = " ".join(ctx.command_path.split()[1:])
        for note in notes_on_repeats(ctx):
            console.warn(note)
        with dry_run.ending_in_a_plan(ctx):
            return super().invoke(ctx)


class Group(click.Group):
    """A group whose commands have the flags of all commands; a misspelt name gets the right one."""

    command_class = Command

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.help = _unwrapped(self.help)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names, or name the one that it resembles."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            if ctx.resilient_parsing:
                return None, None, args[1:]
            hint = nearest(name, self.list_commands(ctx))
            raise click.UsageError(f"No such command {name!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)


class Program(Group):
    """The group of all commands. It turns errors into one line on stderr and an exit code.

    With `--debug` the traceback is shown too.
    """

    group_class = Group

    def main(self, *args: Any, **more: Any) -> Any:
        """Run the program with flags of its own for what is printed."""
        with console.session():
            return super().main(*args, **more)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse arguments that are not UTF-8: no settings file and no report could hold them."""
        # A refusal of other flags is JSON too, although the flag itself is not parsed by then.
        console.current().asks_json = JSON_FLAG in args
        for word in args:
            try:
                word.encode()
            except UnicodeEncodeError:
                raise _Refusal(
                    f"{word!a} is not UTF-8; expected a name that settings.toml and the report "
                    "can hold: rename it, or give a link to it"
                ) from None
        with _one_line_refusals():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. Exit with 2 for bad input, 1 for a failure, and 3 for a regression."""
        try:
            with _one_line_refusals(), console.library_messages():
                returned = super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException):
            raise
        except KeyboardInterrupt as stopped:
            told = ["stopped; what was written before is whole and stays", str(stopped)]
            for line in filter(None, told):
                console.stopped(line, RunFailedError.exit_code)
            sys.exit(RunFailedError.exit_code)
        except Exception as error:
            if ctx.params.get("debug"):
                traceback.print_exc()
            code = exit_code_of(error)
            console.error(message_of(error), code)
            console.end(code)
            sys.exit(code)
        console.end(0)
        return returned


class _Refusal(click.UsageError):
    """A refusal of arguments. It is shown as JSON if the result would have been."""

    def show(self, file: IO[Any] | None = None) -> None:
        told = console.current()
        if told.asks_json:
            told.json = True
            console.error(self.format_message(), self.exit_code)
        else:
            super().show(file)


@contextmanager
def _one_line_refusals() -> Iterator[None]:
    """Escape the arguments that click quotes as typed, so that an error stays one line."""
    try:
        yield
    except click.UsageError as error:
        raise _Refusal(one_line(error.format_message()), error.ctx) from None


def check_present(settings: Settings, names: Iterable[str]) -> None:
    """Refuse files that do not exist, before torch is imported, which takes seconds.

    Args:
        settings: the settings of the command.
        names: the settings that the command has options for.

    Raises:
        BadInputError: a file does not exist. Other faults are found when the file is read.
    """
    for name in names:
        path = getattr(settings, name) if name in _READ else None
        if path is None:
            continue
        try:
            os.stat(path)
        except FileNotFoundError:
            # Behind a folder that is here, the name is a path that is wrong.
            is_path = name != "data" or Path(path).parent.is_dir()
            remedy = "" if is_path else fetching(path)
            raise BadInputError(
                f"--{name.replace('_', '-')} {path}: no such file; expected one to read"
                f"{remedy and '; '}{remedy}"
            ) from None
        except OSError:
            continue
