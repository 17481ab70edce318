"""The files that each stage writes, and the files of a folder that its record vouches for.

A file that stage2 has not written is neither replaced nor deleted. A file counts as written by
stage2 if the folder's record has its hash. It also counts if it has the name of a file of a stage
that was begun in the folder and has not ended.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from stage2.utils import files

# The `save` methods of a model and of its tokenizer write these files. A model of
# sentence-transformers has a folder for each of its modules.
_MODEL = (
    *("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", files.CARD),
    *("*/*.json", "*/*.safetensors"),
)
_CHECKPOINTS = (
    *files.EVALUATED,
    *(f"{folder}/{name}" for folder in files.EVALUATED_FOLDERS for name in _MODEL),
    *(files.BEST_CHECKPOINT, files.TRAINING_STATE, "*.json"),
)
_TENSORBOARD = f"{files.TENSORBOARD}/events.out.tfevents.*"
_IN_A_TRAINING = (
    *(f"{files.CHECKPOINTS}/{name}" for name in _CHECKPOINTS),
    _TENSORBOARD,
    files.TRAINING_LOG,
    f"{files.ROUNDS}/*.jsonl",
)
_IN_A_CROSS_FIT = (*_IN_A_TRAINING, files.FOLD_RANKS)
_IN_A_FOLD = (
    *_IN_A_TRAINING,
    *(f"{files.REFIT}/{name}" for name in _IN_A_TRAINING),
    files.CHOSEN,
    files.CHOSEN_WEIGHTS,
)


def _inside(folder: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}" for name in names)


# The shipped model, and the encoder of each role if it has two.
_SHIPPED = tuple(
    name
    for folder in (files.SHIPPED_MODEL, *files.MODEL_OF_ROLE.values())
    for name in _inside(folder, _MODEL)
)

# The files of each stage, relative to the run's folder, as patterns of `fnmatch`.
WRITTEN: dict[str, tuple[str, ...]] = {
    "init": _inside(files.STAGE1_MODEL, _MODEL),
    "prepare": (files.CONSTRUCTED, files.REJECTED, *_inside(files.SAMPLE, ("*.json", "*.jsonl"))),
    "mine": (files.EVALUATION, files.HARD, files.MINING_SUMMARY, files.NEGATIVE_SOURCES),
    "audit": (
        *(files.AUDIT, files.AUDIT_ROWS, files.CROSS_SCORES),
        *(files.REVIEW, files.REVIEW_ROWS, files.CROSS_JUDGEMENTS),
        files.rejected_by("audit"),
    ),
    "train": (
        files.rejected_by("train"),
        files.SPLIT,
        files.TEACHER_SCORES,
        files.TRAINING_LOG,
        f"{files.ROUNDS}/*.jsonl",
        _TENSORBOARD,
        *_inside(files.CHECKPOINTS, _CHECKPOINTS),
        *_inside(files.REFIT, _IN_A_TRAINING),
        *_inside(f"{files.CROSS_FIT}/fold-*", _IN_A_CROSS_FIT),
        *_SHIPPED,
    ),
    "sweep": (
        files.SWEEP,
        files.SEARCH_SPLIT,
        files.TEST_SPLIT,
        files.SWEEP_PLAN,
        files.WINNER,
        f"{files.RUNGS}/*.json",
        f"{files.TRIALS}/*.log",
        # These are runs in folders of their own, each with a record.
        f"{files.TRIALS}/*",
        files.TEST,
    ),
    "evaluate": (
        files.rejected_by("evaluate"),
        *_inside(f"{files.FOLDS}/fold-*", _IN_A_FOLD),
        files.EVALUATION_AFTER,
        files.COMPARISON,
        files.PER_QUESTION,
    ),
    "merge": (files.MERGE, *_SHIPPED, files.rejected_by("merge")),
    "check": (files.CHECK, files.CHECK_PAGE, files.CHECK_JSON, files.rejected_by("check")),
    "report": (files.REPORT, files.PAGE, files.REPORT_JSON, *files.CHARTS),
}

# The files of other stages that a stage writes too. It may replace them, but never deletes them.
_WRITTEN_TOO: dict[str, tuple[str, ...]] = {
    "init": (files.REJECTED,),
    "mine": (files.REJECTED, *WRITTEN["audit"]),
    "audit": (files.REJECTED,),
    "train": (files.REJECTED,),
    "sweep": (files.REJECTED, *WRITTEN["prepare"]),
    "evaluate": (files.REJECTED, files.EVALUATION),
    "merge": (files.REJECTED, *WRITTEN["evaluate"]),
    "check": (files.REJECTED,),
}

# The folders of runs that have records of their own.
RUNS = frozenset((files.TRIALS, files.TEST))

# A command itself deletes these files sooner or later.
_PASSING = (
    *(f"{files.CHECKPOINTS}/{name}" for name in _CHECKPOINTS),
    *_inside(files.REFIT, _IN_A_TRAINING),
    *_inside(f"{files.CROSS_FIT}/fold-*", _IN_A_CROSS_FIT),
    *_inside(f"{files.FOLDS}/fold-*", _IN_A_FOLD),
    _TENSORBOARD,
    f"{files.ROUNDS}/*.jsonl",
    files.REJECTED,
    files.rejected_by("*"),
    # The model card is deleted with its model. It is written after the model was compared.
    f"{files.SHIPPED_MODEL}/{files.CARD}",
)


def patterns(stages: Iterable[str]) -> tuple[str, ...]:
    """Return the patterns of all files that the stages write."""
    return tuple(
        dict.fromkeys(
            pattern
            for stage in stages
            for pattern in (*WRITTEN[stage], *_WRITTEN_TOO.get(stage, ()))
        )
    )


def top_names(found: Iterable[str]) -> tuple[str, ...]:
    """Return the names at the top of a run folder that the patterns begin with."""
    return tuple(dict.fromkeys(pattern.split("/", 1)[0] for pattern in found))


def shown_names(found: Iterable[str]) -> list[str]:
    """Return the names at the top of a run folder, `name/` for a folder, with those of each run."""
    inside = {pattern.split("/", 1)[0] for pattern in found if "/" in pattern} | RUNS
    names = dict.fromkeys((files.RUN, files.SETTINGS, *top_names(found)))
    return [f"{name}/" if name in inside else name for name in names]


def read_record(folder: Path) -> dict[str, Any]:
    """Return the record of a folder's run; return {} if the folder has none.

    Raises:
        BadInputError: the record is damaged.
    """
    path = folder / files.RUN
    if not os.path.lexists(path):
        return {}
    return dict(files.read_json(path))


def facts(path: Path, sha256: str | None = None) -> dict[str, Any]:
    """Return the facts about a file for a record: hash, and size and time for quick checks.

    Args:
        path: the path of the file.
        sha256: the hash of the file if it is known; None means that the file is read for it.
    """
    found = path.stat()
    return {
        "sha256": sha256 or files.sha256(path),
        "size": found.st_size,
        "modified": found.st_mtime_ns,
    }


def is_as_recorded(path: Path, known: Mapping[str, Any] | None, quick: bool = True) -> bool:
    """Return whether a file is still as it was recorded.

    Args:
        path: the path of the file.
        known: the `facts` about the file in the record; None if the record has none.
        quick: whether an equal size and time are enough. They reveal a file that was replaced, but
            not a bit that has flipped on the disk.
    """
    if known is None or not path.is_file():
        return False
    found = path.stat()
    if found.st_size != known.get("size"):
        return False
    if quick and found.st_mtime_ns == known.get("modified"):
        return True
    return bool(files.sha256(path) == known.get("sha256"))


def record_files(folder: Path, wanted: Iterable[str], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts about every file that fits a pattern, by its path within the folder.

    Runs in folders of their own are left out, since they have their own records.
    """
    recorded: dict[str, Any] = {}
    for path in found(folder, wanted):
        place = path.relative_to(folder).as_posix()
        old = known.get(place)
        same = old is not None and path.stat().st_mtime_ns == old.get("modified")
        recorded[place] = old if same and is_as_recorded(path, old) else facts(path)
    return recorded


def found(folder: Path, wanted: Iterable[str]) -> Iterator[Path]:
    """Yield the files that fit a pattern, except those of runs in folders of their own."""
    wanted = tuple(wanted)
    for name in top_names(wanted):
        if name not in RUNS:
            for path in list(_files_below(folder / name)):
                if path.is_file() and fits(path.relative_to(folder).as_posix(), wanted):
                    yield path


def unvouched(folder: Path, record: Mapping[str, Any], names: Iterable[str]) -> Iterator[str]:
    """Yield the paths within a folder of the files that its record does not vouch for.

    Args:
        folder: the folder of the run.
        record: the record of the folder; empty if it has none.
        names: the files and folders at the top of the folder that are checked.
    """
    known = record.get("files", {})
    working = record.get("working", {}).get("stages", ())
    unfinished = {stage for stage in (*record.get("begun", ()), *working) if stage in WRITTEN}
    begun = (*patterns(unfinished), *([files.SETTINGS] if working else []))
    sweeps = "sweep" in (*record.get("stages", ()), *unfinished)
    for name in names:
        if name in RUNS and sweeps:
            yield from _unvouched_runs(folder, name)
            continue
        for path in _files_below(folder / name):
            place = path.relative_to(folder).as_posix()
            # A model is written to a temporary folder, which is renamed at the end.
            passing = any(files.is_temporary(Path(part)) for part in Path(place).parts)
            written = fits(place, begun) or passing
            if not written and not is_as_recorded(path, known.get(place)):
                yield place


EVERY_NAME = top_names(patterns(WRITTEN))


def comes_and_goes(place: str) -> bool:
    """Return whether a command may delete the file after it was recorded."""
    return fits(place, _PASSING)


def _unvouched_runs(folder: Path, name: str) -> Iterator[str]:
    """Yield the files below `trials` or `test` that no run of a sweep has made."""
    root = folder / name
    runs = [root] if name == files.TEST else sorted(path for path in _listed(root) if path.is_dir())
    logs = {f"{run.name}.log" for run in runs}
    for path in _listed(root) if name == files.TRIALS else ():
        if not path.is_dir() and path.name not in logs and not files.is_temporary(path):
            yield path.relative_to(folder).as_posix()
    for run in runs:
        own = read_record(run)
        everything = [path.name for path in _listed(run) if path.name != files.RUN]
        for place in unvouched(run, own, everything):
            yield (run / place).relative_to(folder).as_posix()


def fits(place: str, found: Iterable[str]) -> bool:
    """Return whether a path fits one of the patterns, folder by folder."""
    parts = place.split("/")
    return any(
        len(parts) == pattern.count("/") + 1 and all(map(fnmatchcase, parts, pattern.split("/")))
        for pattern in found
    )


def _files_below(path: Path) -> Iterator[Path]:
    """Yield the file itself, or all files in a folder. A link to a folder counts as a file."""
    if path.is_dir() and not path.is_symlink():
        for inner in _listed(path):
            yield from _files_below(inner)
    elif os.path.lexists(path):
        yield path


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
