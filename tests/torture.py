"""Commands are killed, starved and disturbed; the same command again has to put all right.

    python -m tests.torture            everything; minutes, and a table at the end
    python -m tests.torture --short    a few points of each command

A process that has loaded everything forks, so that a command costs what it does and no imports. In
the child every change on disk is counted, and before one of them something happens to it.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Before torch: a process with threads that wait does not survive its own fork.
os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}

import torch
import transformers
from safetensors import safe_open

from stage2.cli.commands import evaluate, merge, mine, report, run, sweep, train
from stage2.cli.main import program
from stage2.models.gbert.fit_heads import init_model
from stage2.report import chart
from stage2.utils import files
from tests.small import write_backbone, write_corpus

transformers.utils.logging.disable_progress_bar()

# Loaded here, so that no child loads them.
LOADED = (evaluate, merge, mine, report, run, sweep, train, chart)

# What opens a file to write to it.
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink")

# Of these only that they are there: they tell of times.
TOLD = (files.REPORT, files.PAGE, files.REPORT_JSON, *files.CHARTS)

Happening = Callable[[], None]


@dataclass(frozen=True)
class Case:
    """A command, and the commands that have run in its folder before it."""

    name: str
    words: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()


@dataclass
class Tally:
    """What became of the attempts of one kind."""

    tried: int = 0
    damaged: int = 0
    refused: int = 0
    different: int = 0
    left_behind: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count another's attempts too."""
        for name in ("tried", "damaged", "refused", "different", "left_behind"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.notes += other.notes

    @property
    def is_clean(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.damaged or self.refused or self.different or self.left_behind)


class Place:
    """A folder with small data and a tiny model, and the cases that are tried in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.out = root / "out"
        self.log = root / "log.txt"
        corpus = write_corpus(_folder(root / "corpus"))
        backbone = write_backbone(_folder(root / "backbone"))
        self.model = root / "stage1"
        init_model(str(backbone), [], embedding_dim=16, max_length=32, seed=0, fit=False) \
            .save_pretrained(self.model)  # fmt: skip
        self.data = tuple(w for name, path in corpus.items() for w in (f"--{name}", str(path)))
        self.fixed = ("--precision", "fp32", "--embedding-cache", "off")
        self.backbone = str(backbone)

    def cases(self) -> list[Case]:
        """A case for each command that writes, and for those that replace what is there."""
        model = ("--model", str(self.model))
        prepare = ("prepare", *self.data)
        mine = ("mine", *self.data, *model, *self.fixed)
        short = ("--epochs", "2", "--batch-size", "4", "--precision", "fp32")
        train = ("train", *model, *short, "--keep-checkpoints", "1")
        again = ("--train-on", "all", "--loss", "margin")
        run = ("run", *self.data, *self.fixed, *model, *short, *again, "--folds", "0")
        folds = ("run", *self.data, *self.fixed, *model, *short, *again, "--folds", "3")
        evaluate = ("evaluate", *model, *model, "--precision", "fp32", "--embedding-cache", "off")
        audit = ("audit",)
        return [
            Case("prepare", prepare),
            Case("init", ("init", "--backbone", self.backbone, "--no-fit")),
            Case("mine", mine),
            Case("mine again", mine, (mine,)),
            Case("mine, stage 1 made", ("mine", *self.data, *self.fixed, "--backbone",
                                        self.backbone, "--no-fit")),
            Case("train", train, (mine,)),
            Case("evaluate", evaluate, (mine,)),
            Case("audit", audit, (prepare,)),
            Case("merge", ("merge", *model, *model, *self.data, "--precision", "fp32",
                           "--alpha", "0.5")),
            Case("report", ("report",), (mine,)),
            Case("run", run),
            Case("run with folds", folds),
            Case("run --overwrite", (*run, "--margin", "0.2", "--overwrite"), (run,)),
            Case("train --overwrite", (*train, "--margin", "0.2", "--overwrite"), (mine, train)),
            Case("sweep", ("sweep", *self.data, *model, *short, *again,
                           "--grid", "margin=0.1,0.2")),
        ]  # fmt: skip

    def prepared(self, case: Case) -> None:
        """Bring the folder to what it is before the command."""
        shutil.rmtree(self.out, ignore_errors=True)
        kept = self.root / "before" / case.name
        if kept.is_dir():
            shutil.copytree(kept, self.out, symlinks=True)
            return
        for words in case.before:
            code = self.run(words)
            if code:
                raise RuntimeError(f"{case.name}: {words} ended with {code}: {self.said()}")
        if self.out.is_dir():
            shutil.copytree(self.out, kept, symlinks=True)

    def run(self, words: Sequence[str], at: int = 0, happens: Happening | None = None) -> int:
        """Run a command in a child; before its change number `at` something happens.

        Returns:
            The exit code; that of a process that was killed is negative.
        """
        child = os.fork()
        if child == 0:
            self._become(words, at, happens)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def start(self, words: Sequence[str]) -> int:
        """Start a command in a child; its process number."""
        child = os.fork()
        if child == 0:
            self._become(words, 0, None)
        return child

    def count(self, words: Sequence[str]) -> int:
        """How many changes on disk a command makes."""
        told = self.root / "count"
        counted = [0]

        def tell() -> None:
            counted[0] += 1

        child = os.fork()
        if child == 0:
            self._become(words, -1, tell, lambda: told.write_text(str(counted[0])))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code:
            raise RuntimeError(f"{words} ended with {code}: {self.said()}")
        return int(told.read_text())

    def said(self) -> str:
        """What the last command has printed."""
        return self.log.read_text(errors="replace")

    def _become(
        self,
        words: Sequence[str],
        at: int,
        happens: Happening | None,
        at_end: Callable[[], object] = lambda: None,
    ) -> None:
        """Run a command in this process and end it."""
        code = 70
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            sys.stdout = io.TextIOWrapper(io.FileIO(1, "w"), write_through=True)
            sys.stderr = io.TextIOWrapper(io.FileIO(2, "w"), write_through=True)
            if happens is not None:
                before_change(self.out, at, happens)
            try:
                program([*words, "--output-dir", str(self.out)], prog_name="stage2")
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else 0
            at_end()
        finally:
            os._exit(code)


def before_change(root: Path, at: int, happens: Happening) -> None:
    """Have something happen before one change on disk at or below `root`, or before each.

    Args:
        root: a folder, there or not.
        at: which, from 1; -1: before each.
        happens: what it is.
    """
    prefix, seen, busy = str(root), 0, False

    def look(event: str, args: tuple[Any, ...]) -> None:
        nonlocal seen, busy
        if busy:
            return
        if event == "open":
            path, _, flags = args
            if not isinstance(flags, int) or not flags & WRITES:
                return
        elif event in CHANGES:
            path = args[0]
        else:
            return
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, (str, os.PathLike)) or not os.fspath(path).startswith(prefix):
            return
        seen += 1
        if at in (-1, seen):
            busy = True
            try:
                happens()
            finally:
                busy = False

    sys.addaudithook(look)


def kill() -> None:
    """End this process as the system does when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)


def fill_disk() -> None:
    """What the system answers where there is no room."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def content(folder: Path) -> dict[str, Any]:
    """Every file below a folder: its bytes, or what of it does not tell of times."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder).as_posix()
        if not path.is_file():
            continue
        if path.name in TOLD or path.name.endswith(".log"):
            found[place] = "there"
        elif path.name in (files.TRAINING_LOG, files.SWEEP):
            rows = files.read_jsonl(path)
            found[place] = [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
        elif path.name == files.RUN:
            record = files.read_json(path)
            stages = record.get("stages", {})
            found[place] = {
                "made_from": {name: stage["made_from"] for name, stage in stages.items()},
                **{name: record.get(name) for name in ("begun", "ended", "replaced", "shipped")},
                "files": sorted(record.get("files", {})),
            }
        else:
            found[place] = path.read_bytes()
    return found


def damaged(folder: Path) -> list[str]:
    """Files below a folder that are no whole files of their kind."""
    found = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.endswith(".tmp"):
            continue
        if any(files.is_temporary(parent) for parent in path.relative_to(folder).parents):
            continue
        try:
            if path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix == ".jsonl":
                text = path.read_text()
                [json.loads(line) for line in text.splitlines()]
                if text and not text.endswith("\n"):
                    found.append(path.name)
            elif path.suffix == ".pt":
                with zipfile.ZipFile(path) as archive:
                    if archive.testzip() is not None:
                        found.append(path.name)
            elif path.suffix == ".safetensors":
                with safe_open(path, "pt") as weights:
                    weights.keys()
        except Exception as error:  # whatever is wrong with it
            found.append(f"{path.relative_to(folder)}: {error}")
    return found


def left_behind(folder: Path, wanted: dict[str, Any]) -> list[str]:
    """Files and folders that an undisturbed command does not leave."""
    places = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    known = {
        parent.as_posix() for place in wanted for parent in (Path(place), *Path(place).parents)
    }
    return sorted(places - known)


def compare(place: Place, case: Case, wanted: dict[str, Any], code: int, what: str) -> Tally:
    """Count what is wrong after the same command again."""
    found = Tally(tried=1)
    if code:
        found.refused = 1
        found.notes.append(f"{case.name}, {what}: ended with {code}: {place.said()[-400:]}")
        return found
    if left := left_behind(place.out, wanted):
        found.left_behind = 1
        found.notes.append(f"{case.name}, {what}: left behind {left[:5]}")
    now = content(place.out)
    if differing := [name for name in wanted if now.get(name) != wanted[name]]:
        found.different = 1
        found.notes.append(f"{case.name}, {what}: different {differing[:5]}")
    return found


def reference(place: Place, case: Case) -> tuple[dict[str, Any], int]:
    """What an undisturbed command leaves, and how many changes it makes."""
    place.prepared(case)
    changes = place.count(case.words)
    return content(place.out), changes


def killed(place: Place, case: Case, points: Callable[[int], Sequence[int]]) -> Tally:
    """SIGKILL before a change on disk, then the same command again."""
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
    """A signal at any moment, then the same command again."""
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
    """No room for one change: an error without a traceback; the same command again is whole."""
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
    """The folder is deleted midway: that is an error, not a success with a part of the files."""
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
    """Stopped midway, and a bit of a file turned over: it is told, or the outcome is the same."""
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
    """Two different commands in one folder: one of them is told; the folder is of the other."""
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
    """Every change."""
    return range(1, changes + 1)


def some(count: int) -> Callable[[int], Sequence[int]]:
    """The first change, the last, and others between them, always the same."""

    def points(changes: int) -> Sequence[int]:
        dice = random.Random(changes)
        drawn = dice.sample(range(1, changes + 1), min(count, changes))
        return sorted({1, changes, *drawn})

    return points


def _attempts(short: bool) -> Iterator[tuple[str, str | None]]:
    """Kinds of disturbance, and the names of the cases that each is tried on."""
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
            "killed": lambda: killed(place, case, some(3) if short else everything),
            "stopped": lambda: stopped(place, case, 9),
            "full disk": lambda: full_disk(place, case, some(8)),
            "deleted": lambda: deleted(place, case, some(4)),
            "flipped": lambda: flipped(place, case, some(12)),
        }[kind]()
    return kind, name, found


def _folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def _flip(path: Path) -> None:
    """Turn over a bit in the middle of the largest member of an archive, or of the file."""
    raw = bytearray(path.read_bytes())
    at = len(raw) // 2
    if path.suffix == ".pt":
        with zipfile.ZipFile(path) as archive:
            largest = max(archive.infolist(), key=lambda member: member.file_size)
        # Past the member's header, whose length is at most a page here.
        at = min(largest.header_offset + 30 + largest.file_size // 2 + 100, len(raw) - 1)
    raw[at] ^= 1
    path.write_bytes(raw)


def main() -> int:
    """Try everything and print a table; 1 where something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few points of each command")
    parser.add_argument("--only", metavar="KIND", help="one kind of disturbance")
    parser.add_argument("--case", metavar="NAME", help="one command")
    given = parser.parse_args()
    jobs = [
        (kind, name, given.short)
        for kind, name in _attempts(given.short)
        if given.only in (None, kind) and given.case in (None, name)
    ]
    totals: dict[str, Tally] = {}
    print(f"{'disturbance':<12} {'command':<20} tried damaged refused different left behind")
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
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


if __name__ == "__main__":
    sys.exit(main())
