"""The kinds of disturbance: each tries a case several times and counts what went wrong."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.torture.changes import fill_disk, kill
from tests.torture.outcome import Tally, compare, content, damaged
from tests.torture.place import Case, Place


def reference(place: Place, case: Case) -> tuple[dict[str, Any], int]:
    """Run a command undisturbed; return what it leaves and how many changes it makes."""
    place.prepared(case)
    changes = place.count(case.words)
    return content(place.out), changes


def killed(place: Place, case: Case, points: Callable[[int], Sequence[int]]) -> Tally:
    """Send SIGKILL before a change on disk, then run the same command again."""
    wanted, changes = reference(place, case)
    found = Tally()
    for at in points(changes):
        place.prepared(case)
        place.run(case.words, at, kill)
        hurt = damaged(place.out)
        one = compare(place, case, wanted, place.run(case.words), f"killed at {at}")
        if hurt:
            one.damaged = 1
            one.notes.append(f"{case.name}, killed at {at}: damaged {hurt[:5]}")
        found.add(one)
    return found


def stopped(place: Place, case: Case, tries: int) -> Tally:
    """Send a signal at a random moment, then run the same command again."""
    started = time.perf_counter()
    wanted, _ = reference(place, case)
    seconds = time.perf_counter() - started
    found, dice = Tally(), random.Random(case.name)
    for number in range(tries):
        place.prepared(case)
        child = place.start(case.words)
        time.sleep(dice.random() * seconds)
        which = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[number % 3]
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, which)
        os.waitpid(child, 0)
        hurt = damaged(place.out)
        one = compare(place, case, wanted, place.run(case.words), which.name)
        if hurt:
            one.damaged = 1
            one.notes.append(f"{case.name}, {which.name}: damaged {hurt[:5]}")
        found.add(one)
    return found


def full_disk(place: Place, case: Case, points: Callable[[int], Sequence[int]]) -> Tally:
    """Let one change find the disk full, then run the same command again.

    The first run must end with an error and without a traceback.
    """
    wanted, changes = reference(place, case)
    found = Tally()
    for at in points(changes):
        place.prepared(case)
        code = place.run(case.words, at, fill_disk)
        what, said = f"full disk at {at}", place.said()
        hurt = damaged(place.out)
        one = compare(place, case, wanted, place.run(case.words), what)
        if hurt or "Traceback" in said or (code and "error" not in said):
            one.damaged = 1
            one.notes.append(f"{case.name}, {what}: {code}, {hurt[:5]}: {said[-300:]}")
        found.add(one)
    return found


def deleted(place: Place, case: Case, points: Callable[[int], Sequence[int]]) -> Tally:
    """Delete the folder midway. The command must fail, unless all its files are there."""
    wanted, changes = reference(place, case)
    found = Tally()
    for at in points(changes):
        place.prepared(case)
        code = place.run(case.words, at, lambda: shutil.rmtree(place.out, ignore_errors=True))
        found.tried += 1
        if code == 0 and content(place.out) != wanted:
            found.damaged += 1
            found.notes.append(f"{case.name}, deleted at {at}: exit code 0")
    return found


def flipped(place: Place, case: Case, points: Callable[[int], Sequence[int]]) -> Tally:
    """Stop a command midway, flip a bit of a file, and run the command again.

    The command must refuse the file, or its result must be the same.
    """
    wanted, changes = reference(place, case)
    found = Tally()
    for at in points(changes):
        place.prepared(case)
        place.run(case.words, at, kill)
        paths = [p for p in sorted(place.out.rglob("*")) if p.suffix in (".pt", ".safetensors")]
        for path in paths:
            shutil.rmtree(place.root / "kept", ignore_errors=True)
            shutil.copytree(place.out, place.root / "kept")
            _flip(path)
            code = place.run(case.words)
            found.tried += 1
            if code == 0 and content(place.out) != wanted:
                found.different += 1
                found.notes.append(f"{case.name}, flipped {path.name} at {at}: another result")
            shutil.rmtree(place.out)
            os.rename(place.root / "kept", place.out)
    return found


def two_at_once(place: Place, tries: int) -> Tally:
    """Run two different commands in one folder at once.

    One of them must be refused, and the folder must hold the result of the other.
    """
    case = next(case for case in place.cases() if case.name == "prepare")
    wanted = {}
    for seed in ("0", "1"):
        shutil.rmtree(place.out, ignore_errors=True)
        place.run((*case.words, "--seed", seed))
        wanted[seed] = content(place.out)
    found = Tally()
    for number in range(tries):
        shutil.rmtree(place.out, ignore_errors=True)
        children = [place.start((*case.words, "--seed", seed)) for seed in ("0", "1")]
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        found.tried += 1
        now = content(place.out)
        won = [seed for seed, code in zip(("0", "1"), codes, strict=True) if code == 0]
        if len(won) != 1 or now != wanted[won[0]]:
            found.different += 1
            found.notes.append(f"two at once, {number}: exit codes {codes}")
    return found


def everything(changes: int) -> Sequence[int]:
    """Return the number of every change."""
    return range(1, changes + 1)


def some(count: int) -> Callable[[int], Sequence[int]]:
    """Choose the first change, the last one, and `count` others; the choice is always the same."""

    def points(changes: int) -> Sequence[int]:
        dice = random.Random(changes)
        drawn = dice.sample(range(1, changes + 1), min(count, changes))
        return sorted({1, changes, *drawn})

    return points


def later(count: int) -> Callable[[int], Sequence[int]]:
    """Choose as `some` does, but for the first change, before which there is nothing to lose."""
    return lambda changes: some(count)(changes)[1:] or [changes]


def _flip(path: Path) -> None:
    """Flip a bit in the middle of the file, or of the largest member if it is an archive."""
    raw = bytearray(path.read_bytes())
    at = len(raw) // 2
    if path.suffix == ".pt":
        with zipfile.ZipFile(path) as archive:
            largest = max(archive.infolist(), key=lambda member: member.file_size)
        # The bit lies past the header of the member, which is short here.
        at = min(largest.header_offset + 30 + largest.file_size // 2 + 100, len(raw) - 1)
    raw[at] ^= 1
    path.write_bytes(raw)
