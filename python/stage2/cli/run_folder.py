"""The folder of a run. It records what the run was made from, and refuses to mix two runs."""

from __future__ import annotations

import functools
import hashlib
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any, Concatenate, ParamSpec, TypeVar

from stage2 import usage
from stage2._core import __version__
from stage2.cli import console, dry_run, folder_lock, refusals, replaced_files, run_files
from stage2.cli.dry_run import Workload
from stage2.cli.file_watch import Watched
from stage2.cli.folder_lock import FolderLock
from stage2.cli.run_plan import run_plan
from stage2.config import Settings
from stage2.usage import STAGES, difference, read_by
from stage2.utils import files
from stage2.utils.environment import cpu_name, launch, this_process
from stage2.utils.errors import BadInputError, RegressedError, RunFailedError

# These entries of a record describe the current attempt.
_OF_AN_ATTEMPT = ("begun", "launch", "replaced", "working", "ended")

# These entries of a record belong to a stage, and are deleted with it.
_OF_TRAINING = ("split", "shipped", "dev", "texts", "guards", "teacher")
_OF_A_STAGE = {"train": _OF_TRAINING, "evaluate": ("folds",)}

# The settings whose files are read for as long as a command works; None stands for files that no
# setting names. Other inputs are in memory once they have been read.
_MODELS = ("model", "backbone", "cross_encoder", "teacher", None)

# The commands that add to a folder, with the stages whose files they replace under --overwrite:
# their own, and those made from it. Any other command replaces the whole run.
_ADDED: dict[str, tuple[str, ...]] = {
    "audit": ("audit",),
    "check": ("check",),
    "train": ("train", "evaluate"),
    "evaluate": ("evaluate",),
    "merge": ("merge", "evaluate"),
    "report": (),
}


# These commands look at a run, or at data beside it, and do not change how the run was made.
_LOOKS = frozenset(("audit", "check"))


class RunFolder:
    """An output folder and its `run.json`, locked for as long as a command works in it.

    Nothing is written before `begin`. A command checks its inputs first, so that a refused call
    changes nothing on disk. The record is the first file of a folder, and lists all others. A file
    that the record does not vouch for is neither replaced nor deleted.

    Attributes:
        path: the path of the folder.
        adds: the stage that the command adds to the folder; None if it starts a new run.
        record: the content of `run.json`.
        overwrites: whether the files of another run are replaced. It is False if torchrun has
            started the command again, since the command then continues its earlier attempt.
    """

    def __init__(
        self,
        path: str | Path,
        adds: str | None = None,
        overwrite: bool = False,
        reads: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Lock the folder and read its record, if it exists.

        Args:
            path: the path of the folder, which need not exist yet.
            adds: the stage that the command adds to the folder; None if it starts a new run.
            overwrite: whether the files of another run are replaced.
            reads: the paths that the command reads, by the setting that names each.

        Raises:
            BadInputError: the path cannot be a folder, another command works in it, or its record
                is damaged.
        """
        self.path = Path(path)
        self.adds = adds
        self._replaced = tuple(STAGES) if adds is None else _ADDED[adds]
        self._lock = FolderLock(self.path)
        self._begun = False
        self._mapped = False
        self._sets_aside = False
        self._stages: tuple[str, ...] = ()
        self._names: tuple[str, ...] = ()
        # A command that starts a new run may end with a report.
        self._more = () if adds is not None else ("report",)
        self.record: dict[str, Any] = {}
        # This comes before anything is read, so that every later change is noticed.
        self._watched = Watched(reads)
        try:
            # If the name is too long, even `exists` can raise an OSError.
            if self.path.exists() and not self.path.is_dir():
                raise BadInputError(f"--output-dir {self.path} is a file; expected a folder")
            if self.path.is_dir():
                self._take()
        except OSError as error:
            raise refusals.impossible(self.path, error) from error
        self._launch = launch()
        again = self._launch is not None and self.record.get("launch") == self._launch
        self.overwrites = overwrite and not again
        self._clock = time.perf_counter()

    def __truediv__(self, name: str) -> Path:
        if self._begun:
            self._check_there()
        return self.path / name

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        try:
            if self._begun and (error is None or self._lock.is_there()):
                # A command whose folder was deleted since the last check has failed too.
                self._check_there()
                self._end(error)
                if error is None:
                    self._check_there()
                written = run_files.found(self.path, self._names)
                console.keep_place(files.written(self.path), [files.written(p) for p in written])
        finally:
            self._lock.release()

    def holds(self, stage: str) -> bool:
        """Return whether an earlier command did `stage` here and its files are not replaced."""
        kept = not self.overwrites or stage not in self._replaced
        return kept and stage in self.record.get("stages", {})

    @property
    def is_anothers(self) -> bool:
        """Return whether the folder has stages of other commands that this one does not replace."""
        return bool(self.record.get("stages", {}).keys() - set(self._replaced))

    @property
    def from_sample(self) -> bool:
        """Return whether the folder was made from the built-in sample."""
        return bool(self.record.get("data", {}).get("source") == "sample")

    def watch(self, *paths: str | Path) -> None:
        """Note paths that no setting names, before the command reads them."""
        self._watched.add(paths)

    def checked(self, name: str) -> Path:
        """Return the path of a file or folder, which must be as an earlier command wrote it.

        Raises:
            BadInputError: the hash of a file is not the one in the record.
        """
        path, known = self / name, self.record.get("files", {})
        for place, facts in known.items():
            if place != name and not place.startswith(f"{name}/"):
                continue
            if not run_files.is_as_recorded(self.path / place, facts, quick=False):
                raise refusals.damaged(self.path, place)
        return path

    def begin(
        self,
        settings: Settings,
        stages: Mapping[str, Mapping[str, str]],
        reads: Iterable[str | Path] = (),
        work: Callable[[], Workload] = Workload,
    ) -> None:
        """Start to write the files of `stages`. From here on the folder belongs to this run.

        Args:
            settings: the settings of the command.
            stages: the inputs of each stage: names, and hashes of their content.
            reads: paths that the command reads and that no setting names.
            work: a function that counts what the command would compute; a dry run ends with it.

        Raises:
            BadInputError: the folder holds files of another run, and --overwrite was not given; the
                folder holds files that no run of stage2 has written; a file that the command reads
                would be replaced; or another command works in the folder.
            RunFailedError: an input has changed while it was read.
            Planned: this is a dry run.
        """
        reads = tuple(reads)
        made_from = {
            stage: usage.made_from(settings, stage, inputs) for stage, inputs in stages.items()
        }
        self._watched.check()
        # `stage2 prepare` maps its inputs into memory, so it reads them for as long as it works.
        self._mapped = stages.keys() == {"prepare"}
        self._make()
        self._names = run_files.patterns((*stages, *self._more))
        replaced = (*self._names, *(self._cleared() if self.overwrites else ()))
        self._check_reads((*read_by(settings).values(), *reads), replaced)
        self._check_vouched(replaced)
        if not self.overwrites:
            self._check_same_run(made_from)
            if settings.resume == "auto":
                self._check_trained(stages)
        dry_run.plan(lambda: run_plan(self.path, settings, reads, stages, replaced, work()))
        files.remove_left(self.path, set(run_files.EVERY_NAME) - run_files.RUNS)
        if self.overwrites:
            self._set_aside()
            self._sets_aside = replaced_files.is_there(self.path)
        self._begin_record(settings, stages, reads)
        self._clock = time.perf_counter()

    def done(self, settings: Settings, stage: str, inputs: Mapping[str, str], **facts: Any) -> None:
        """Record that the files of `stage` are on disk, how long it took, and some facts.

        Args:
            settings: the settings of the command.
            stage: the stage that is done.
            inputs: the names of its inputs, and the hashes of their content.
            facts: further entries of the record.

        Raises:
            RunFailedError: a model or a mapped file has changed while it was used, or the folder is
                gone.
        """
        self._check_there()
        try:
            self._watched.check(None if self._mapped else _MODELS)
        except RunFailedError:
            # It is unknown what the files were made from, so they are deleted.
            for path in run_files.found(self.path, run_files.WRITTEN[stage]):
                path.unlink()
                self.record["files"].pop(path.relative_to(self.path).as_posix(), None)
            raise
        now = time.perf_counter()
        self.record.setdefault("started", datetime.now(timezone.utc).isoformat(timespec="seconds"))
        self.record |= {
            "stage2_version": __version__,
            "python": platform.python_version(),
            "cpu": cpu_name(),
            "seed": settings.seed,
        }
        if stage != "prepare":
            # Imported here: preparing samples needs no torch, which takes seconds to import.
            from stage2.utils.device import facts as device_facts

            self.record |= device_facts(settings.device, settings.precision)
        begun = [other for other in self.record.pop("begun", ()) if other != stage]
        if begun:
            self.record["begun"] = begun
        self.record.setdefault("stages", {})[stage] = {
            "seconds": round(now - self._clock, 3),
            "made_from": usage.made_from(settings, stage, inputs),
        }
        self._clock = now
        self.record |= facts
        self._write_record()

    def begin_report(self, settings: Settings) -> None:
        """Start to write the report on the folder.

        Raises:
            BadInputError: the folder has files with the names of the report's files that stage2 has
                not written.
        """
        if not self._begun:
            self._names = run_files.WRITTEN["report"]
            self._check_vouched(self._names)
            dry_run.plan(lambda: run_plan(self.path, settings, [self.path], ["report"]))
            files.remove_left(self.path)
            self._begin_record(settings, ["report"])

    def _take(self) -> None:
        """Lock the folder, read its record, and finish or undo the work of a killed command."""
        if dry_run.is_on():
            self.record = run_files.read_record(self.path)
            return
        if not self._lock.acquire(folder_lock.WAIT):
            raise refusals.held(self.path)
        try:
            self.record = replaced_files.put_right(self.path, run_files.read_record(self.path))
        except BaseException:
            self._lock.release()
            raise

    def _make(self) -> None:
        """Make the folder if it does not exist, and lock it."""
        if dry_run.is_on():
            refusals.check_possible(self.path)
            return
        if self._lock.held:
            self._check_there()
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._take()
        except OSError as error:
            raise refusals.impossible(self.path, error) from error
        if self.record:
            raise refusals.another_run(self.path, "another command has just made a run there")

    def _cleared(self) -> tuple[str, ...]:
        """Return the patterns of the files that --overwrite replaces."""
        if self.adds is None:
            return (files.SETTINGS, *run_files.patterns(run_files.WRITTEN))
        settings = () if self.adds in _LOOKS else (files.SETTINGS,)
        own = (run_files.WRITTEN[stage] for stage in (*self._replaced, "report"))
        return (*settings, *(pattern for found in own for pattern in found))

    def _check_reads(self, reads: Iterable[str | Path], replaced: Iterable[str]) -> None:
        """Refuse to replace files that the command reads."""
        # The name of a model on the hub is treated as a path too: if the path exists, it is read.
        paths = [Path(path).resolve() for path in reads]
        for name in run_files.top_names(replaced):
            target = (self.path / name).resolve()
            for path in paths:
                if target == path or target in path.parents:
                    raise refusals.would_delete(path, self.overwrites)

    def _check_vouched(self, replaced: Iterable[str]) -> None:
        """Refuse to replace files that stage2 has not written."""
        names = (files.SETTINGS, *run_files.top_names(replaced))
        if not self.record:
            # Without a record nothing shows that stage2 wrote a file, so all are checked.
            names = (files.SETTINGS, *run_files.EVERY_NAME)
        found = sorted(run_files.unvouched(self.path, self.record, names))
        if found:
            raise refusals.not_ours(self.path, found, bool(self.record))

    def _check_same_run(self, made_from: Mapping[str, Mapping[str, Any]]) -> None:
        """Refuse to continue a run that was made from other settings or inputs."""
        known = self.record.get("stages", {})
        begun = [stage for stage in self.record.get("begun", ()) if stage not in made_from]
        if not known and (left := [name for stage in begun for name in self._present(stage)]):
            raise refusals.another_run(self.path, f"{', '.join(left)} of a run that was not ended")
        for stage, wanted in made_from.items():
            if stage in known and known[stage]["made_from"] != wanted:
                raise refusals.another_run(self.path, difference(known[stage]["made_from"], wanted))

    def _check_trained(self, stages: Iterable[str]) -> None:
        """Refuse to continue after a training whose files have changed.

        Otherwise the new record would vouch for the changed files.
        """
        if not self.holds("train") or "train" not in stages:
            return
        for place, facts in self.record.get("files", {}).items():
            path = self.path / place
            is_its = run_files.fits(place, run_files.WRITTEN["train"]) and path.is_file()
            if is_its and not run_files.is_as_recorded(path, facts):
                raise refusals.damaged(self.path, place)

    def _begin_record(
        self, settings: Settings, stages: Iterable[str], reads: Iterable[str | Path] = ()
    ) -> None:
        """Write the record and then the settings, before all other files of the command."""
        stages, known = list(stages), self.record.get("stages", {})
        self._stages = tuple(stages)
        # A command that is stopped before a stage is done finds these entries when it is repeated.
        begun = [stage for stage in self.record.get("begun", ()) if stage not in stages]
        begun += [stage for stage in stages if stage not in known and stage in STAGES]
        # Those that do not change how the run was made keep its settings.
        looks = not set(stages) - {*_LOOKS, "report"} and bool(known.keys() - _LOOKS)
        recorded = {
            place: facts
            for place, facts in self.record.get("files", {}).items()
            if (self.path / place).is_file()
        }
        saved = usage.saved(settings, stages, map(str, reads)).encode()
        if not looks:
            digest = hashlib.sha256(saved).hexdigest()
            recorded[files.SETTINGS] = {"sha256": digest, "size": len(saved)}
        now = {
            "begun": begun,
            "launch": self._launch,
            "replaced": replaced_files.KEPT if replaced_files.is_there(self.path) else None,
            "replaced_by": stages if self._sets_aside else None,
            "working": this_process() | {"stages": [*stages, *self._more]},
        }
        if not replaced_files.is_there(self.path):
            self.record.pop("replaced_by", None)
        kept = {name: self.record[name] for name in self.record if name not in _OF_AN_ATTEMPT}
        self.record = kept | {name: value for name, value in now.items() if value}
        self.record["files"] = recorded
        files.write_json(self.path / files.RUN, self.record)
        if not looks:
            files.write_bytes(self.path / files.SETTINGS, saved)
        self._begun = True

    def note_hash(self, name: str, sha256: str) -> None:
        """Note the hash of a file that was just written, so that the file need not be read for it.

        Args:
            name: the path of the file within the folder.
            sha256: the hash as hexadecimal text.
        """
        self.record["files"][name] = run_files.facts(self.path / name, sha256)

    def _write_record(self) -> None:
        """Write the record, with the hash of each file that the command has written so far."""
        recorded = self.record["files"]
        recorded |= run_files.record_files(self.path, self._names, recorded)
        for place in [place for place in recorded if not (self.path / place).is_file()]:
            if not run_files.comes_and_goes(place):
                raise RunFailedError(
                    f"{self.path / place}: deleted while the command worked. Run it again"
                )
            del recorded[place]
        files.write_json(self.path / files.RUN, self.record)

    def _end(self, error: BaseException | None) -> None:
        """Write whether the command has ended, and bring back or delete what was set aside.

        Only the command that set files aside, or the same command again, brings them back or
        deletes them. A report or an audit in between leaves them where they are.
        """
        begun = self.record.get("begun", ())
        replacing = self.record.get("replaced_by", ())
        waits = replaced_files.is_there(self.path) and not set(replacing).isdisjoint(begun)
        # torchrun may start the command again, which then continues with the files that exist.
        failed = isinstance(error, Exception) and self._launch is None
        if failed and waits and not set(replacing).isdisjoint(self._stages):
            self.record = replaced_files.put_back(self.path, self.record)
            console.say(
                f"--overwrite has replaced nothing: what {self.path} held before is there again"
            )
            return
        self.record.pop("working", None)
        if not begun and (error is None or isinstance(error, RegressedError)):
            self.record["ended"] = True
        if replaced_files.is_there(self.path) and not waits:
            self.record["replaced"] = replaced_files.DROPPING
        self._write_record()
        self.record = replaced_files.put_right(self.path, self.record)

    def _set_aside(self) -> None:
        """Set aside the files that --overwrite replaces, until the command has ended."""
        names = run_files.top_names(self._cleared())
        copied = set(run_files.top_names(self._names)) - {*names}
        replaced_files.keep(self.path, self.record, names, copied)
        if self.adds is None:
            self.record = {}
        for stage in self._replaced:
            self.record.get("stages", {}).pop(stage, None)
            for name in _OF_A_STAGE.get(stage, ()):
                self.record.pop(name, None)
        begun = [stage for stage in self.record.pop("begun", ()) if stage not in self._replaced]
        if begun:
            self.record["begun"] = begun
        kept = self.record.get("files", {})
        self.record["files"] = {
            place: facts for place, facts in kept.items() if place.split("/", 1)[0] not in names
        }

    def _present(self, stage: str) -> list[str]:
        names = run_files.top_names(run_files.WRITTEN[stage])
        return [name for name in names if (self.path / name).exists()]

    def _check_there(self) -> None:
        if not self._lock.is_there():
            raise RunFailedError(
                f"--output-dir {self.path} was deleted or replaced while the command worked in it; "
                "what it had written is gone. Run it again"
            )


Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")


def in_run_folder(
    adds: str | None = None,
) -> Callable[
    [Callable[Concatenate[Settings, RunFolder, Arguments], Returned]],
    Callable[Concatenate[Settings, Arguments], Returned],
]:
    """Return a decorator that gives a command its run folder, locked until the command ends.

    Args:
        adds: the stage that the command adds; see `RunFolder`.
    """

    def wrap(
        command: Callable[Concatenate[Settings, RunFolder, Arguments], Returned],
    ) -> Callable[Concatenate[Settings, Arguments], Returned]:
        @functools.wraps(command)
        def call(
            settings: Settings, /, *args: Arguments.args, **more: Arguments.kwargs
        ) -> Returned:
            folder = settings.output_dir, adds, settings.overwrite, read_by(settings)
            with RunFolder(*folder) as run:
                return command(settings, run, *args, **more)

        return call

    return wrap
