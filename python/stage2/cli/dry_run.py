"""`--dry-run`: what a command would read, compute and write, and how long it is likely to take.

A dry run is the command itself until it would write for the first time: it reads its input, loads
its model and checks all that it checks, so that it refuses what the command would refuse. Then it
ends with a plan. `RunFolder.begin` asks for the plan of a command that works in a run folder. The
command itself only counts its work, in a small function beside it; `workload` helps to.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click

from stage2.cli import console
from stage2.cli.options import Flag
from stage2.report.columns import aligned
from stage2.utils.errors import one_line

_NAME = "dry_run"
# The command reads and checks again what the dry run has read: it takes about as long.
_AGAIN = (0.7, 1.5)


@dataclass(frozen=True)
class Work:
    """An amount of work of one kind.

    Attributes:
        what: what is done, for people.
        count: how often, at most.
        seconds: how long it is likely to take: the least and the most.
    """

    what: str
    count: int
    seconds: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Workload:
    """All that a command would compute.

    Attributes:
        counts: what was found in the data, by its name for people.
        work: the pieces of work.
        reads: paths that are read and that no setting names, by a name for people.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    work: Sequence[Work] = ()
    reads: Mapping[str, str | Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """The description of what a command would do.

    Attributes:
        reads: the paths that it reads, by a name for people.
        load: what it would compute.
        output: the folder or the file that it writes.
        writes: the names of the files in this folder, `name/` for a folder; some of them are
            written only if there is something to write.
        replaces: the paths that are there and would be replaced or deleted.
    """

    reads: Mapping[str, str | Path]
    load: Workload
    output: str | Path
    writes: Sequence[str] = ()
    replaces: Sequence[str] = ()


class Planned(Exception):  # noqa: N818 - it is no error
    """A dry run has ended with this plan. It took so many seconds to check the input."""

    def __init__(self, plan: Plan, seconds: float) -> None:
        super().__init__()
        self.plan, self.seconds = plan, seconds


_on = False


def is_on() -> bool:
    """Return whether this is a dry run, in which nothing may be written and no lock be taken."""
    return _on


def plan(make: Callable[[], Plan]) -> None:
    """End a dry run with a plan. A command calls this before its first change on disk.

    Args:
        make: a function that returns the plan; it is not called in a real run.

    Raises:
        Planned: this is a dry run.
    """
    if _on:
        seconds = time.monotonic() - console.current().started
        raise Planned(make(), seconds)


def flag() -> Flag:
    """Make the flag. Its value stands in the context: it is no argument of the command."""
    return Flag(
        ["--dry-run"],
        is_flag=True,
        expose_value=False,
        callback=_note,
        help="Check the input, say what would be read, computed and written and how long it is "
        "likely to take, and write nothing.",
    )


@contextmanager
def ending_in_a_plan(ctx: click.Context) -> Iterator[None]:
    """Make the block a dry run if the flag was given, and print the plan that it ends with."""
    global _on  # noqa: PLW0603 - a process runs one command
    if not ctx.meta.get(_NAME):
        yield
        return
    _on = True
    try:
        yield
    except Planned as planned:
        lines, facts = told(planned.plan, planned.seconds)
        console.result("\n".join(map(one_line, lines)), plan=facts)
    else:
        raise RuntimeError(f"{ctx.command_path} has ended without a plan; see dry_run.plan")
    finally:
        _on = False


def told(planned: Plan, checking: float) -> tuple[list[str], dict[str, Any]]:
    """Return a plan for people, as lines, and for programs, as values that JSON has.

    Args:
        planned: the plan.
        checking: the seconds that it took to read and check the input.
    """
    load = planned.load
    reads = [_Read.of(name, path) for name, path in {**planned.reads, **load.reads}.items()]
    low, high = (share * checking for share in _AGAIN)
    for work in load.work:
        low, high = low + work.seconds[0], high + work.seconds[1]
    lines = ["would read"]
    lines += _table([(one.name, one.path, one.size) for one in reads], "nothing")
    lines += _table([(f"{count:,}", name) for name, count in load.counts.items()])
    lines += ["would compute"]
    rows = [(work.what, f"{work.count:,}", _range(*work.seconds)) for work in load.work]
    lines += _table(rows, "nothing that takes long")
    lines += [f"would write {planned.output}"]
    lines += [f"  {name}" for name in planned.writes]
    lines += ["would replace"]
    lines += [f"  {name}" for name in planned.replaces] or ["  nothing"]
    lines += [
        f"would take {_range(low, high)}, by a short measurement of this machine",
        "nothing was written",
    ]
    facts = {
        "reads": [asdict(one) for one in reads],
        "counts": dict(load.counts),
        "work": [{**vars(work), "seconds": [*work.seconds]} for work in load.work],
        "output": str(planned.output),
        "writes": list(planned.writes),
        "replaces": list(planned.replaces),
        "seconds": [low, high],
    }
    return lines, facts


@dataclass(frozen=True)
class _Read:
    """A path that is read: its name, and its size if it is on this machine."""

    name: str
    path: str
    bytes: int | None
    files: int

    @staticmethod
    def of(name: str, path: str | Path) -> _Read:
        """Measure a file, or all files in a folder."""
        root = Path(path)
        if root.is_dir():
            sizes = [found.stat().st_size for found in root.rglob("*") if found.is_file()]
            return _Read(name, os.fspath(path), sum(sizes), len(sizes))
        found = root.stat().st_size if root.is_file() else None
        return _Read(name, os.fspath(path), found, 0 if found is None else 1)

    @property
    def size(self) -> str:
        """The size for people."""
        if self.bytes is None:
            return "not on this machine"
        size = f"{self.bytes / 1e6:,.1f} MB" if self.bytes >= 1e5 else f"{self.bytes:,} bytes"
        return size if self.files == 1 else f"{size} in {self.files} files"


def _table(rows: Sequence[tuple[str, ...]], empty: str | None = None) -> list[str]:
    if not rows:
        return [] if empty is None else [f"  {empty}"]
    return [f"  {line}".rstrip() for line in aligned(rows, tuple(range(len(rows[0]))))]


def _range(low: float, high: float) -> str:
    """Write a span of seconds for people."""
    if high < 1:
        return "less than 1 s"
    unit, name = next((unit, name) for unit, name in _UNITS if high >= 5 * unit or unit == 1)
    return f"{low / unit:.0f} to {math.ceil(high / unit)} {name}"


_UNITS = ((86_400.0, "days"), (3_600.0, "hours"), (60.0, "minutes"), (1.0, "s"))


def _note(ctx: click.Context, _: click.Parameter, value: bool) -> Any:
    if value:
        ctx.meta[_NAME] = True
