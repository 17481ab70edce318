"""The parts that all commands share: refusals, messages and exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from stage2.cli import console
from stage2.config import Settings
from stage2.utils.errors import BadInputError, RunFailedError, exit_code_of, message_of, one_line

# The settings that name the files which a command reads first.
_READ = ("qa", "chunks", "entities", "data", "dev_data", "split_file", "gazetteer")


class Program(click.Group):
    """The group of all commands. It turns errors into one line on stderr and an exit code.

    With `--debug` the traceback is shown too.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse arguments that are not UTF-8: no settings file and no report could hold them."""
        for word in args:
            try:
                word.encode()
            except UnicodeEncodeError:
                raise click.UsageError(
                    f"{word!a} is not UTF-8; expected a name that settings.toml and the report "
                    "can hold: rename it, or give a link to it"
                ) from None
        with _one_line_refusals():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. Exit with 2 for bad input, 1 for a failure, and 3 for a regression."""
        try:
            with _one_line_refusals(), console.library_messages():
                return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException):
            raise
        except KeyboardInterrupt as stopped:
            click.echo("stopped; what was written before is whole and stays", err=True)
            if str(stopped):
                click.echo(one_line(str(stopped)), err=True)
            sys.exit(RunFailedError.exit_code)
        except Exception as error:
            if ctx.params.get("debug"):
                traceback.print_exc()
            click.echo(f"error: {message_of(error)}", err=True)
            sys.exit(exit_code_of(error))


@contextmanager
def _one_line_refusals() -> Iterator[None]:
    """Escape the arguments that click quotes as typed, so that an error stays one line."""
    try:
        yield
    except click.UsageError as error:
        raise click.UsageError(one_line(error.format_message()), error.ctx) from None


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
            raise BadInputError(
                f"--{name.replace('_', '-')} {path}: no such file; expected one to read"
            ) from None
        except OSError:
            continue
