"""The messages and progress bars of the commands, on stderr.

Bars are shown only on a terminal. No module outside `cli/` prints: such modules log to the logger
`stage2`, and `library_messages` shows what they log.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from stage2.utils.errors import one_line
from stage2.utils.progress import Progress

# The beginning of a line, by the level at which the library logs it.
_PREFIXES = {logging.INFO: "", logging.WARNING: "warning: ", logging.ERROR: "error: "}


def say(message: str) -> None:
    """Write a message that is not a result on stderr."""
    _write_line(one_line(message))


def result(text: str) -> None:
    """Print a result that the user asked for on stdout."""
    click.echo(text)


def warn(message: str) -> None:
    """Write a warning on stderr."""
    _write_line(f"{_PREFIXES[logging.WARNING]}{one_line(message)}")


@contextmanager
def library_messages() -> Iterator[None]:
    """Show the library's log from level INFO up, in the form of `say` and `warn`."""
    logger = logging.getLogger("stage2")
    if any(isinstance(handler, _Handler) for handler in logger.handlers):
        yield
        return
    handler, level, propagate = _Handler(), logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    # A message is shown only once, whatever handlers the root logger has.
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


class _Handler(logging.Handler):
    """A handler that writes each record as one line on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        _write_line(f"{_PREFIXES[record.levelno]}{one_line(record.getMessage())}")


def _write_line(line: str) -> None:
    """Write a line on stderr. A bar that is shown moves below the line."""
    if "tqdm" in sys.modules:
        from tqdm import tqdm

        tqdm.write(line, file=sys.stderr)
    else:
        # No bar is shown yet, and importing tqdm takes longer than some commands.
        click.echo(line, err=True)


@contextmanager
def bar(what: str, unit: str = "text") -> Iterator[Progress]:
    """Show a bar with progress, speed and time left. Yield the function that updates it."""
    from tqdm import tqdm  # imported here, since most commands show no bar

    # With disable=None nothing is shown if stderr is not a terminal.
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
    """Show the progress of stages one after another. Yield the function that updates the bar.

    Its arguments are the name of the stage, the steps done, all steps, and the number of texts in
    the last step, for the speed that is shown.
    """
    from tqdm import tqdm

    with tqdm(unit="step", disable=None, leave=False, dynamic_ncols=True) as shown:
        current, started, seen = "", 0.0, 0

        def update(stage: str, done: int, total: int, texts: int) -> None:
            nonlocal current, started, seen
            if stage != current:
                # The first update comes after the first step, so only later steps give the speed.
                current, started, seen = stage, time.perf_counter(), -texts
                shown.reset(total)
                shown.set_description(stage)
            seen += texts
            if seen:
                speed = seen / (time.perf_counter() - started)
                shown.set_postfix_str(f"{speed:.0f} texts/s", refresh=False)
            shown.update(done - shown.n)

        yield update
