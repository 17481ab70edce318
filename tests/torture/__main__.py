"""`python -m tests.torture`: every disturbance on every command, and a table."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from tests import torture
from tests.torture.disturbances import (
    deleted,
    everything,
    flipped,
    full_disk,
    killed,
    later,
    some,
    stopped,
    two_at_once,
)
from tests.torture.outcome import Tally
from tests.torture.place import Place


def main() -> int:
    """Try everything and print a table; return 1 if something went wrong, else 0."""
    parser = argparse.ArgumentParser(description=torture.__doc__)
    parser.add_argument("--short", action="store_true", help="a few points of each command")
    parser.add_argument("--only", metavar="KIND", help="one kind of disturbance")
    parser.add_argument("--case", metavar="NAME", help="one command")
    parser.add_argument("--part", type=int, nargs=2, metavar=("I", "N"), default=(0, 1),
                        help="every N-th attempt from the I-th on")  # fmt: skip
    parser.add_argument("--processes", type=int, default=os.cpu_count(), metavar="N")
    given = parser.parse_args()
    jobs = [
        (kind, name, given.short)
        for kind, name in _attempts(given.short)
        if given.only in (None, kind) and given.case in (None, name)
    ][given.part[0] :: given.part[1]]
    totals: dict[str, Tally] = {}
    print(f"{'disturbance':<12} {'command':<20} tried damaged refused different left behind")
    with multiprocessing.get_context("fork").Pool(given.processes) as pool:
        for kind, name, found in pool.imap(_try, jobs, chunksize=1):
            totals.setdefault(kind, Tally()).add(found)
            print(_row(kind, name, found), flush=True)
    for kind, total in totals.items():
        print(_row(kind, "all", total))
    notes = [note for total in totals.values() for note in total.notes]
    print("\n".join(notes))
    return 0 if all(total.is_clean for total in totals.values()) else 1


def _row(kind: str, name: str, tally: Tally) -> str:
    numbers = (tally.tried, tally.damaged, tally.refused, tally.different, tally.left_behind)
    widths = (5, 7, 7, 9, 11)
    cells = " ".join(f"{n:>{w}}" for n, w in zip(numbers, widths, strict=True))
    return f"{kind:<12} {name:<20} {cells}"


def _attempts(short: bool) -> Iterator[tuple[str, str | None]]:
    """Yield the kinds of disturbance, each with the name of a case that it is tried on."""
    with tempfile.TemporaryDirectory() as folder:
        names = [case.name for case in Place(Path(folder)).cases()]
    for name in names:
        yield "killed", name
    if short:
        return
    for kind in ("stopped", "full disk", "deleted"):
        for name in names:
            yield kind, name
    for name in ("run with folds", "train"):
        yield "flipped", name
    yield "two at once", None


def _try(job: tuple[str, str | None, bool]) -> tuple[str, str, Tally]:
    kind, name, short = job
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        if name is None:
            return kind, "prepare", two_at_once(place, 40)
        case = next(case for case in place.cases() if case.name == name)
        found = {
            "killed": lambda: killed(place, case, later(case.points) if short else everything),
            "stopped": lambda: stopped(place, case, 9),
            "full disk": lambda: full_disk(place, case, some(8)),
            "deleted": lambda: deleted(place, case, some(4)),
            "flipped": lambda: flipped(place, case, some(12)),
        }[kind]()
    return kind, name, found


if __name__ == "__main__":
    sys.exit(main())
