"""The folder of a run: what it was made from, and the refusal to mix two runs in one."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from stage2 import files
from stage2._core import __version__
from stage2.config import Settings
from stage2.errors import BadInputError

# The settings that each stage's files depend on, beside the content of its inputs.
STAGES: dict[str, tuple[str, ...]] = {
    "init": ("embedding_dim", "max_length", "fit", "seed"),
    "prepare": ("negatives", "seed", "on_error"),
    "mine": (
        "topk",
        "similarity",
        "precision",
        "source",
        "range_min",
        "range_max",
        "absolute_margin",
        "relative_margin",
        "max_score",
        "min_score",
        "sampling",
        "drop_false_negatives",
        "near_duplicate",
        "cross_encoder_margin",
    ),
    "audit": ("similarity", "precision", "near_duplicate", "cross_encoder_margin"),
    "train": (
        "epochs",
        "batch_size",
        "learning_rate",
        "weight_decay",
        "margin",
        "pairs",
        "loss",
        "temperature",
        "accumulate",
        "micro_batch",
        "warmup",
        "schedule",
        "max_grad_norm",
        "freeze",
        "lora",
        "patience",
        "train_on",
        "replay",
        "similarity",
        "precision",
        "split",
        "dev_share",
        "test_share",
        # Decides what the dev MRR means that epochs are chosen by.
        "corpus",
        "seed",
    ),
    "sweep": ("split", "dev_share", "test_share", "seed", "on_error"),
    "evaluate": ("similarity", "precision", "corpus", "folds"),
    "merge": (
        "method",
        "alpha",
        "similarity",
        "precision",
        "corpus",
        "split",
        "dev_share",
        "test_share",
        "seed",
    ),
}

# The files of each stage; anything else in the folder is not ours and is never touched.
_FILES: dict[str, tuple[str, ...]] = {
    "init": (files.STAGE1_MODEL,),
    "prepare": (files.SAMPLE, files.CONSTRUCTED, files.REJECTED),
    "mine": (files.EVALUATION, files.HARD, files.MINING_SUMMARY),
    "audit": (files.AUDIT, files.AUDIT_ROWS, files.CROSS_SCORES, files.rejected_by("audit")),
    "train": (
        files.rejected_by("train"),
        files.SPLIT,
        files.TRAINING_LOG,
        files.TENSORBOARD,
        files.CHECKPOINTS,
        files.SHIPPED_MODEL,
    ),
    "sweep": (files.SWEEP, files.TRIALS, files.SEARCH_QA, files.TEST_QA, files.TEST),
    "evaluate": (
        files.rejected_by("evaluate"),
        files.FOLDS,
        files.EVALUATION_AFTER,
        files.COMPARISON,
        files.PER_QUESTION,
    ),
    "merge": (files.MERGE, files.SHIPPED_MODEL, files.rejected_by("merge")),
}
_REPORT = (files.REPORT, files.PAGE, files.REPORT_JSON, *files.CHARTS)
_OWN = (
    files.SETTINGS,
    files.RUN,
    *dict.fromkeys(name for names in _FILES.values() for name in names),
    *_REPORT,
)

# Commands that add to a folder: under --overwrite they replace their own stage's files, and those
# made from them. Any other command replaces the whole run.
_ADDED: dict[str, tuple[str, ...]] = {
    "audit": ("audit",),
    "train": ("train", "evaluate"),
    "evaluate": ("evaluate",),
    "merge": ("merge", "evaluate"),
}

# Settings that name what a command reads.
_READ = ("model", "data", "dev_data", "qa", "chunks", "entities", "backbone", "cross_encoder")


class RunFolder:
    """An output folder and its `run.json`.

    Nothing is written before `begin`; a command checks its inputs first, so that a refused call
    changes nothing on disk.

    Attributes:
        path: where it is.
        settings: of the command.
        adds: the stage that the command adds to what the folder holds; None where it starts a run
            anew.
        record: what `run.json` says.
        overwrites: whether files of another run are replaced: not those of an attempt before, where
            torchrun has started the command again, which goes on.
    """

    def __init__(self, settings: Settings, adds: str | None = None) -> None:
        """Look at the folder; raise BadInputError where it cannot be one.

        Args:
            settings: of the command.
            adds: the stage that the command adds to what the folder holds; None where it starts a
                run anew.
        """
        self.path = Path(settings.output_dir)
        self.settings = settings
        self.adds = adds
        self._replaced = tuple(STAGES) if adds is None else _ADDED[adds]
        try:
            # Of a name that is too long it cannot even be said whether it is there.
            if self.path.exists() and not self.path.is_dir():
                raise BadInputError(f"--output-dir {self.path} is a file; expected a folder")
        except OSError as error:
            raise self._impossible(error) from error
        record = self.path / files.RUN
        self.record: dict[str, Any] = files.read_json(record) if record.is_file() else {}
        self._launch = _launch()
        again = self._launch is not None and self.record.get("launch") == self._launch
        self.overwrites = settings.overwrite and not again
        self._clock = time.perf_counter()

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def holds(self, stage: str) -> bool:
        """Whether an earlier command did `stage` here, and its files count."""
        kept = not self.overwrites or stage not in self._replaced
        return kept and stage in self.record.get("stages", {})

    @property
    def is_anothers(self) -> bool:
        """Whether the folder holds what other commands made, and this one does not replace."""
        return bool(self.record.get("stages", {}).keys() - set(self._replaced))

    @property
    def from_sample(self) -> bool:
        """Whether the folder was made from the built-in sample."""
        return bool(self.record.get("data", {}).get("source") == "sample")

    def begin(
        self, stages: Mapping[str, Mapping[str, str]], reads: Iterable[str | Path] = ()
    ) -> None:
        """Start writing the files of `stages`; from here on the folder is this run's.

        Args:
            stages: for each stage, its inputs: names and hashes of content.
            reads: what the command reads beside what its settings name.

        Raises:
            BadInputError: the folder holds files of another run, and --overwrite was not given; or
                it was, and would delete what the command reads.
        """
        if self.overwrites:
            self._check_reads(reads)
            self._clear()
        elif not self.record:
            present = [name for name in _OWN if (self.path / name).exists()]
            if present:
                raise BadInputError(self._refusal(f"{', '.join(present)} of an unknown run"))
        known = self.record.get("stages", {})
        begun = [stage for stage in self.record.get("begun", ()) if stage not in stages]
        if not known and (left := [name for stage in begun for name in self._present(stage)]):
            raise BadInputError(self._refusal(f"{', '.join(left)} of a run that was not ended"))
        for stage in (stage for stage in stages if stage in known):
            wanted = self.made_from(stage, stages[stage])
            if known[stage]["made_from"] != wanted:
                raise BadInputError(self._refusal(difference(known[stage]["made_from"], wanted)))
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._impossible(error) from error
        for folder in (self.path, self.path / files.CHECKPOINTS):
            files.remove_left(folder)
        # An audit has nothing to say of how the run was made that it looks at.
        if stages.keys() != {"audit"} or not self.record.get("stages", {}).keys() - {"audit"}:
            self.settings.save(self.path / files.SETTINGS)
        # Who was stopped before a stage was done comes back to a folder that is known.
        begun += [stage for stage in stages if stage not in known]
        attempt = {"begun": begun, "launch": self._launch}
        record = {name: value for name, value in self.record.items() if name not in attempt}
        record |= {name: value for name, value in attempt.items() if value}
        if record != self.record:
            self.record = record
            files.write_json(self.path / files.RUN, record)
        self._clock = time.perf_counter()

    def done(self, stage: str, inputs: Mapping[str, str], **facts: Any) -> None:
        """Record that `stage` is on disk, how long it took, and what there is to say of it."""
        now = time.perf_counter()
        self.record.setdefault("started", datetime.now(timezone.utc).isoformat(timespec="seconds"))
        self.record |= {
            "stage2_version": __version__,
            "python": platform.python_version(),
            "cpu": cpu_name(),
            "seed": self.settings.seed,
        }
        if stage != "prepare":
            # Not at the top: preparing samples needs no torch, which takes seconds to import.
            from stage2.device import facts as device_facts

            self.record |= device_facts(self.settings.device, self.settings.precision)
        begun = [other for other in self.record.pop("begun", ()) if other != stage]
        if begun:
            self.record["begun"] = begun
        self.record.setdefault("stages", {})[stage] = {
            "seconds": round(now - self._clock, 3),
            "made_from": self.made_from(stage, inputs),
        }
        self._clock = now
        self.record |= facts
        files.write_json(self.path / files.RUN, self.record)

    def made_from(self, stage: str, inputs: Mapping[str, str]) -> dict[str, Any]:
        """What the files of `stage` depend on: settings, and hashes of inputs."""
        return {name: getattr(self.settings, name) for name in STAGES[stage]} | dict(inputs)

    def _cleared(self) -> tuple[str, ...]:
        """Names of what --overwrite deletes."""
        if len(self._replaced) == len(STAGES):
            return _OWN
        return (*(name for stage in self._replaced for name in _FILES[stage]), *_REPORT)

    def _check_reads(self, reads: Iterable[str | Path]) -> None:
        named = (getattr(self.settings, name) for name in _READ)
        # A name of the hub is no path; were it one, it would be read as one.
        paths = [Path(path).resolve() for path in (*named, *reads) if path is not None]
        for name in self._cleared():
            target = (self.path / name).resolve()
            for path in paths:
                if target == path or target in path.parents:
                    raise BadInputError(
                        f"{path}: --overwrite would delete it, and it is read. Give another "
                        "--output-dir, or a copy"
                    )

    def _clear(self) -> None:
        for name in self._cleared():
            path = self.path / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        if len(self._replaced) == len(STAGES):
            self.record = {}
        for stage in self._replaced:
            self.record.get("stages", {}).pop(stage, None)
        begun = [stage for stage in self.record.pop("begun", ()) if stage not in self._replaced]
        if begun:
            self.record["begun"] = begun

    def _present(self, stage: str) -> list[str]:
        return [name for name in _FILES[stage] if (self.path / name).exists()]

    def _impossible(self, error: OSError) -> BadInputError:
        reason = error.strerror or type(error).__name__
        return BadInputError(
            f"--output-dir {self.path}: no folder can be made there ({reason}). Give another"
        )

    def _refusal(self, what: str) -> str:
        return (
            f"--output-dir {self.path} holds another run's files ({what}). "
            "Give another --output-dir, or --overwrite to replace them"
        )


def _launch() -> str | None:
    """What all attempts of one torchrun have in common: its process, and when that began."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    parent = os.getppid()
    try:
        began = Path(f"/proc/{parent}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        began = []
    # The twentieth of what follows the name: ticks since the machine was started.
    return f"{platform.node()} {parent} {began[19] if len(began) > 19 else ''}".strip()


def cpu_name() -> str:
    """The processor's name where the system tells, else its architecture."""
    try:
        lines: Iterable[str] = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = ()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Name what differs between two things that were made from something."""
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return "; ".join(
        f"{name} was {_short(old.get(name))}, is {_short(new.get(name))}" for name in names
    )


def _short(value: Any) -> str:
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text
