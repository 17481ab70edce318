"""The folder in which commands are disturbed, and the commands."""

from __future__ import annotations

import io
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import transformers

from stage2.cli.commands import evaluate, merge, mine, report, run, sweep, train
from stage2.cli.main import program
from stage2.models.init_model import init_model
from stage2.report import chart
from tests.beir import write_other
from tests.small import write_backbone, write_corpus
from tests.torture.changes import Happening, before_change

transformers.utils.logging.disable_progress_bar()

# These modules are loaded here, so that no child loads them.
LOADED = (evaluate, merge, mine, report, run, sweep, train, chart)


@dataclass(frozen=True)
class Case:
    """A command, and the commands that have run in its folder before it.

    Attributes:
        name: the name of the case.
        words: the command.
        before: the commands before it.
        points: before how many changes on disk it is killed in a short trial, beside the last.
    """

    name: str
    words: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    points: int = 1


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
        self.guard = write_other(root / "other", 40)
        self.data = tuple(w for name, path in corpus.items() for w in (f"--{name}", str(path)))
        self.fixed = ("--precision", "fp32", "--embedding-cache", "off")
        self.backbone = str(backbone)

    def cases(self) -> list[Case]:
        """Return a case for each command that writes, and for those that replace old files."""
        model = ("--model", str(self.model))
        prepare = ("prepare", *self.data)
        mine = ("mine", *self.data, *model, *self.fixed)
        short = ("--epochs", "2", "--batch-size", "4", "--precision", "fp32")
        train = ("train", *model, *short, "--keep-checkpoints", "1")
        again = ("--train-on", "all", "--loss", "margin")
        run = ("run", *self.data, *self.fixed, *model, *short, *again, "--folds", "0")
        folds = ("run", *self.data, *self.fixed, *model, *short, *again, "--folds", "3")
        # The candidates and the refitted model are judged, and the shipped one is measured.
        guarded = (*run, "--guard", str(self.guard), "--guard-margin", "0.1", "--refit")
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
            Case("run with a guard", guarded, points=4),
            Case("run --overwrite", (*run, "--margin", "0.2", "--overwrite"), (run,)),
            Case("train --overwrite", (*train, "--margin", "0.2", "--overwrite"), (mine, train)),
            Case("sweep", ("sweep", *self.data, *model, *short, *again,
                           "--grid", "margin=0.1,0.2")),
        ]  # fmt: skip

    def prepared(self, case: Case) -> None:
        """Restore the folder to its state before the command."""
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
        """Run a command in a child process, which calls `happens` before its change number `at`.

        Returns:
            The exit code; it is negative if the process was killed.
        """
        child = os.fork()
        if child == 0:
            self._become(words, at, happens)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def start(self, words: Sequence[str]) -> int:
        """Start a command in a child process and return its process id."""
        child = os.fork()
        if child == 0:
            self._become(words, 0, None)
        return child

    def count(self, words: Sequence[str]) -> int:
        """Run a command and return the number of changes that it makes on disk."""
        written = self.root / "count"
        counted = [0]

        def add_one() -> None:
            counted[0] += 1

        child = os.fork()
        if child == 0:
            self._become(words, -1, add_one, lambda: written.write_text(str(counted[0])))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code:
            raise RuntimeError(f"{words} ended with {code}: {self.said()}")
        return int(written.read_text())

    def said(self) -> str:
        """Return what the last command printed."""
        return self.log.read_text(errors="replace")

    def _become(
        self,
        words: Sequence[str],
        at: int,
        happens: Happening | None,
        at_end: Callable[[], object] = lambda: None,
    ) -> None:
        """Run a command in this process, then end the process."""
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


def _folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path
