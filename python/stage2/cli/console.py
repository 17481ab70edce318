"""What the commands print: results on stdout, messages and progress bars on stderr.

Every command takes the same flags, which `session` keeps:

- `-q` shows no messages and no bars, only results, warnings and errors;
- `-v` shows the time before each message, and what the library logs for the curious;
- `--json` prints one JSON document on stdout when the command has ended, and each message as a JSON
  object in a line of stderr. The keys stand in docs/command-line.md.

Bars and colours are shown only on a terminal; `NO_COLOR` and `FORCE_COLOR` decide about colours. No
module outside `cli/` prints: such modules log to the logger `stage2`, and `library_messages` shows
what they log.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

import click

from stage2._core import __version__
from stage2.utils.errors import one_line
from stage2.utils.progress import Progress

# The version of the document that --json prints. It changes when a key changes its meaning.
SCHEMA = 1

# The beginning of a line, by the level at which it is logged, and the colour of this beginning.
_PREFIXES = {
    logging.DEBUG: ("", None),
    logging.INFO: ("", None),
    logging.WARNING: ("warning: ", "yellow"),
    logging.ERROR: ("error: ", "red"),
    logging.CRITICAL: ("", None),
}


@dataclass
class Session:
    """How one call of the program prints, and what its document of --json says.

    Attributes:
        json: whether a JSON document takes the place of text.
        asks_json: whether the flag for that is among the arguments, parsed or not.
        level: the lowest level of messages that are shown.
        command: the name of the command, such as `cache info`.
        facts: the results of the command, by name.
        place: where the results are: `output_dir` and `files`.
        started: when the call began, by `time.monotonic`.
        prints: whether results are printed on stdout.
        progress: whether bars are shown on a terminal or in a notebook; None means as the level and
            `json` have it.
        on_step: called after each update of a training with the name of the work, the updates done
            and all updates; None for nothing.
        on_epoch: called with each row of the training log; None for nothing.
    """

    json: bool = False
    asks_json: bool = False
    level: int = logging.INFO
    command: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    place: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    prints: bool = True
    progress: bool | None = None
    on_step: Callable[[str, int, int], object] | None = None
    on_epoch: Callable[[dict[str, Any]], object] | None = None

    @property
    def bars(self) -> bool:
        """True if bars are shown on a terminal and in a notebook."""
        if self.progress is not None:
            return self.progress
        return self.level <= logging.INFO and not self.json


def quiet() -> Session:
    """Return a session in which warnings alone are shown, and nothing is printed on stdout."""
    return Session(level=logging.WARNING, prints=False)


_sessions = [Session()]


@contextmanager
def session(new: Session | None = None) -> Iterator[Session]:
    """Print as `new` says until the end of the block, and keep its results apart.

    Without `new` everything is printed as without flags.
    """
    _sessions.append(new or Session())
    try:
        yield _sessions[-1]
    finally:
        _sessions.pop()


def current() -> Session:
    """Return how this call prints."""
    return _sessions[-1]


def say(message: str) -> None:
    """Write a message that is not a result on stderr."""
    _write(logging.INFO, message)


def detail(message: str) -> None:
    """Write a message that only -v shows on stderr."""
    _write(logging.DEBUG, message)


def warn(message: str) -> None:
    """Write a warning on stderr."""
    _write(logging.WARNING, message)


def error(message: str, exit_code: int) -> None:
    """Write the error that ends a command on stderr."""
    _write(logging.ERROR, message, exit_code=exit_code)


def stopped(message: str, exit_code: int) -> None:
    """Write on stderr that a signal has ended the command."""
    _write(logging.CRITICAL, message, exit_code=exit_code)


def result(text: str, /, **facts: Any) -> None:
    """Print a result that the user asked for on stdout, or keep its facts for --json.

    Args:
        text: the result for people.
        facts: the same for programs: values that JSON has, by name.
    """
    keep(**facts)
    if current().prints and not current().json:
        click.echo(text)


def keep(**facts: Any) -> None:
    """Keep facts for the document of --json that are already in a message or in a file."""
    current().facts |= facts


def keep_place(output_dir: str, files: list[str]) -> None:
    """Keep where the results are, as absolute paths."""
    current().place = {"output_dir": output_dir, "files": files}


def end(exit_code: int) -> None:
    """Print the document of --json, if that is asked for and there is a result."""
    told = current()
    if not told.json or (exit_code and not told.facts):
        return
    document = {
        "schema": SCHEMA,
        "stage2": __version__,
        "command": told.command,
        "exit_code": exit_code,
        "output_dir": None,
        "files": [],
        **told.place,
        "result": told.facts,
    }
    click.echo(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False))


def coloured(stream: IO[str]) -> bool:
    """Return whether colours are written to a stream: on a terminal, unless variables say else."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def library_messages() -> Iterator[None]:
    """Show the library's log in the form of `say` and `warn`: from INFO up, with -v from DEBUG."""
    logger = logging.getLogger("stage2")
    if any(isinstance(handler, _Handler) for handler in logger.handlers):
        yield
        return
    handler, level, propagate = _Handler(), logger.level, logger.propagate
    logger.addHandler(handler)
    # The flags of the command are not read yet, so each message is judged when it is written.
    logger.setLevel(logging.DEBUG)
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
        _write(record.levelno, record.getMessage())


def _write(level: int, message: str, **more: Any) -> None:
    """Write a message as one line on stderr, if its level is shown.

    Args:
        level: the level, as the module `logging` numbers it.
        message: the message.
        more: further entries of the JSON object.
    """
    told = current()
    if level < told.level:
        return
    message = one_line(message)
    seconds = time.monotonic() - told.started
    if told.json:
        entry = {"level": logging.getLevelName(level).lower(), "message": message, **more}
        _write_line(json.dumps(entry, ensure_ascii=False))
        return
    prefix, colour = _PREFIXES[level]
    if prefix and coloured(sys.stderr):
        prefix = click.style(prefix, fg=colour, bold=True)
    time_of_it = f"[{seconds:7.1f} s] " if told.level < logging.INFO else ""
    _write_line(f"{time_of_it}{prefix}{message}")


def _write_line(line: str) -> None:
    """Write a line on stderr. A bar that is shown moves below the line."""
    if "tqdm" in sys.modules:
        from tqdm import tqdm

        tqdm.write(line, file=sys.stderr)
    else:
        # No bar is shown yet, and importing tqdm takes longer than some commands. Colours are in
        # the line only if they are wanted, so that click need not take them out.
        click.echo(line, err=True, color=True)


@contextmanager
def bar(what: str, unit: str = "text") -> Iterator[Progress]:
    """Show a bar with progress, speed and time left. Yield the function that updates it."""
    from tqdm.auto import tqdm  # imported here, since most commands show no bar

    hidden = _hidden()
    with tqdm(desc=what, unit=unit, disable=hidden, leave=False, dynamic_ncols=True) as shown:

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
    from tqdm.auto import tqdm

    told = current()
    with tqdm(unit="step", disable=_hidden(), leave=False, dynamic_ncols=True) as shown:
        before, started, seen = "", 0.0, 0

        def update(stage: str, done: int, total: int, texts: int) -> None:
            nonlocal before, started, seen
            if stage != before:
                # The first update comes after the first step, so only later steps give the speed.
                before, started, seen = stage, time.perf_counter(), -texts
                shown.reset(total)
                shown.set_description(stage)
            seen += texts
            if seen:
                speed = seen / (time.perf_counter() - started)
                shown.set_postfix_str(f"{speed:.0f} texts/s", refresh=False)
            shown.update(done - shown.n)
            if told.on_step is not None:
                told.on_step(stage, done, total)

        yield update


def epoch(row: dict[str, Any]) -> None:
    """Give a row of the training log to the caller, if a caller from Python asked for it."""
    if (on_epoch := current().on_epoch) is not None:
        on_epoch(row)


def _hidden() -> bool | None:
    """Return tqdm's `disable`: None hides bars only where stderr is not a terminal."""
    return None if current().bars else True
