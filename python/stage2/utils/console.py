"""Messages and progress: on stderr; bars on a terminal only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import click

from stage2.utils.errors import one_line


class Bar(Protocol):
    """Shows how far something is."""

    def __call__(self, done: int, total: int, tokens: int = 0, /) -> None:
        """Show it; `tokens` are those done, where texts are what is counted."""


def say(message: str) -> None:
    """Tell the user something that is no result."""
    click.echo(one_line(message), err=True)


def say_above(message: str) -> None:
    """The same while a bar may be shown, which moves down for it."""
    from tqdm import tqdm

    tqdm.write(one_line(message), file=sys.stderr)


def result(text: str) -> None:
    """Print what was asked for, on stdout."""
    click.echo(text)


def warn(message: str) -> None:
    """Tell the user something to look at."""
    click.echo(f"warning: {one_line(message)}", err=True)


@contextmanager
def bar(what: str, unit: str = "text") -> Iterator[Bar]:
    """Show progress, speed and time left; yields a function of (done, total, tokens done)."""
    from tqdm import tqdm  # most commands show no bar

    # disable=None: nothing where stderr is no terminal
    with tqdm(desc=what, unit=unit, disable=None, leave=False, dynamic_ncols=True) as shown:

        def update(done: int, total: int, tokens: int = 0, /) -> None:
            shown.total = total
            elapsed = shown.format_dict["elapsed"]
            if tokens and elapsed:
                shown.set_postfix_str(f"{tokens / elapsed:,.0f} tokens/s", refresh=False)
            shown.update(done - shown.n)

        yield update


@contextmanager
def steps() -> Iterator[Callable[[str, int, int, int], None]]:
    """Show progress of several stages in turn; yields a function of (stage, done, total, texts).

    `texts` are those of the last step, for the speed that is shown.
    """
    from tqdm import tqdm

    with tqdm(unit="step", disable=None, leave=False, dynamic_ncols=True) as shown:
        current, started, seen = "", 0.0, 0

        def update(stage: str, done: int, total: int, texts: int) -> None:
            nonlocal current, started, seen
            if stage != current:
                # The first step tells when it is done: the speed is that of the others.
                current, started, seen = stage, time.perf_counter(), -texts
                shown.reset(total)
                shown.set_description(stage)
            seen += texts
            if seen:
                speed = seen / (time.perf_counter() - started)
                shown.set_postfix_str(f"{speed:.0f} texts/s", refresh=False)
            shown.update(done - shown.n)

        yield update
