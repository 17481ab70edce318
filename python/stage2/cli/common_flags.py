"""The flags that every command has: what it prints, and how. See `console.Session`."""

from __future__ import annotations

import logging
from typing import Any

import click

from stage2.cli import console
from stage2.cli.options import Flag

JSON_FLAG = "--json"


def common_flags() -> list[click.Option]:
    """Make the flags. Each acts while it is parsed, and is no argument of the command."""
    return [
        Flag(
            [JSON_FLAG, "as_json"],
            is_flag=True,
            expose_value=False,
            callback=_json,
            help="Print one JSON document on stdout, and messages as JSON lines on stderr.",
        ),
        Flag(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            callback=_quiet,
            help="Print results, warnings and errors alone.",
        ),
        Flag(
            ["-v", "--verbose"],
            is_flag=True,
            expose_value=False,
            callback=_verbose,
            help="Print the time of each message, the settings used, and details.",
        ),
    ]


def _json(ctx: click.Context, _: click.Parameter, value: bool) -> Any:
    if value and not ctx.resilient_parsing:
        console.current().json = True


def _quiet(ctx: click.Context, _: click.Parameter, value: bool) -> Any:
    _level(ctx, logging.WARNING, value)


def _verbose(ctx: click.Context, _: click.Parameter, value: bool) -> Any:
    _level(ctx, logging.DEBUG, value)


def _level(ctx: click.Context, level: int, asked: bool) -> None:
    if not asked or ctx.resilient_parsing:
        return
    if console.current().level not in (logging.INFO, level):
        raise click.UsageError("--quiet and --verbose exclude each other; give one", ctx)
    console.current().level = level
