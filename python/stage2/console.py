"""Messages and progress: on stderr; bars on a terminal only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


def say(message: str) -> None:
    """Tell the user something that is no result."""
    click.echo(message, err=True)


def result(text: str) -> None:
    """Print what was asked for, on stdout."""
    click.echo(text)


def warn(message: str) -> None:
    """Tell the user something to look at."""
    click.echo(f"warning: {message}", err=True)


@contextmanager
def bar(what: str, unit: str = "text") -> Iterator[Callable[[int, int], None]]:
    """Show progress; yields a function of (done, total)."""
    from tqdm import tqdm  # most commands show no bar

    # disable=None: nothing where stderr is no terminal
    with tqdm(desc=what, unit=unit, disable=None, leave=False, dynamic_ncols=True) as shown:

        def update(done: int, total: int) -> None:
            shown.total = total
            shown.update(done - shown.n)

        yield update


@contextmanager
def steps() -> Iterator[Callable[[str, int, int], None]]:
    """Show progress of several stages in turn; yields a function of (stage, done, total)."""
    from tqdm import tqdm

    with tqdm(unit="step", disable=None, leave=False, dynamic_ncols=True) as shown:
        current = ""

        def update(stage: str, done: int, total: int) -> None:
            nonlocal current
            if stage != current:
                current = stage
                shown.reset(total)
                shown.set_description(stage)
            shown.update(done - shown.n)

        yield update
