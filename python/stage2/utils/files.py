"""Files that are written whole or not at all, and the names of the files that a run writes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from stage2.utils.errors import BadInputError
from stage2.utils.schema import check_schema, damaged

SETTINGS = "settings.toml"
RUN = "run.json"
CONSTRUCTED = "constructed_data.jsonl"
REJECTED = "rejected.jsonl"
EVALUATION = "evaluation_results.json"
HARD = "hard_negatives.jsonl"
MINING_SUMMARY = "mining_summary.json"
AUDIT = "audit.json"
AUDIT_ROWS = "audit.jsonl"
CROSS_SCORES = "cross_encoder_scores.jsonl"
REVIEW = "review.html"
REVIEW_ROWS = "review.jsonl"
CROSS_JUDGEMENTS = "cross_encoder_judgements.jsonl"
RELABELLED = "relabelled.jsonl"
TEACHER_SCORES = "teacher_scores.jsonl"
SWEEP = "sweep.jsonl"
TRIALS = "trials"
SWEEP_PLAN = "sweep_plan.json"
WINNER = "winner.toml"
RUNGS = "rungs"
SEARCH_SPLIT = "search_split.json"
TEST_SPLIT = "test_split.json"
TEST = "test"
TRAINING_LOG = "training_log.jsonl"
CHECKPOINTS = "checkpoints"
BEST_CHECKPOINT = "best_model_stage2.pt"
TRAINING_STATE = "training_state.pt"
# The models of a training, at the ends of epochs and at steps in them: `evaluated`, with `.pt` for
# a bare state_dict, without it for a folder.
EVALUATED = ("epoch_*.pt", "step_*.pt")
EVALUATED_FOLDERS = ("epoch_*", "step_*")
TENSORBOARD = "tensorboard"
EVALUATION_AFTER = "evaluation_after_training.json"
COMPARISON = "comparison.json"
PER_QUESTION = "per_question.jsonl"
MERGE = "merge.json"
SPLIT = "split.json"
FOLDS = "folds"
REFIT = "refit"
CROSS_FIT = "cross_fit"
FOLD_RANKS = "ranks.json"
# The negatives of each round of a training but the first; see `round_file`.
ROUNDS = "rounds"
# With two sources of negatives, the source of each.
NEGATIVE_SOURCES = "negative_sources.jsonl"
CHOSEN = "chosen.json"
CHOSEN_WEIGHTS = "chosen.pt"
REPORT = "report.md"
PAGE = "report.html"
REPORT_JSON = "report.json"
CHECK = "check.md"
CHECK_PAGE = "check.html"
CHECK_JSON = "check.json"
CHARTS = ("loss_curve.png", "loss_curve.svg")
SAMPLE = "sample"
STAGE1_MODEL = "stage1"
SHIPPED_MODEL = "model"
# The encoder of each role, if the shipped model has two; both are in the shipped model too.
MODEL_OF_ROLE: Mapping[Literal["query", "document"], str] = {
    "query": "query-model",
    "document": "document-model",
}
# Beside the weights of the shipped model.
CARD = "README.md"


def evaluated(epoch: float, step: int) -> str:
    """Return the name of a model after `epoch` epochs, `step` updates in all, without a suffix."""
    return f"step_{step}" if epoch % 1 else f"epoch_{epoch}"


def round_file(number: int) -> str:
    """Return the name of the file of the negatives of a round, in `rounds/`."""
    return f"round_{number}.jsonl"


def rung_split(number: int) -> str:
    """Return the place of the split of a sweep's rung, which has a part of the training side."""
    return f"{RUNGS}/rung_{number}.json"


def rejected_by(stage: str) -> str:
    """Return the name of the file for the rows that a stage skipped.

    It is used in a folder whose `rejected.jsonl` already has the rows of other files.
    """
    return f"rejected_{stage}.jsonl"


# The files of an earlier run are kept here until they are replaced for good.
ASIDE = ".replaced"

_TEMPORARY = re.compile(r"\.(?P<name>.+)\.[0-9]+-\w+\.tmp")


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; on success flush it to disk and rename.

    A reader of `path` sees the old file or the new one, never a part. On an exception, Ctrl-C
    included, the temporary file is removed and `path` is as it was.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(**beside(target))
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files that only their owner can read; a result has the usual rights.
        temporary.chmod(0o666 & ~_umask())
        _sync(temporary)
        os.replace(temporary, target)
    except BaseException as error:
        with suppress(FileNotFoundError):
            temporary.unlink()
        if isinstance(error, OSError) and error.errno and not error.filename:
            # The error of a failed write does not name the file.
            raise OSError(error.errno, error.strerror, os.fspath(target)) from error
        raise
    _sync(target.parent)


@contextmanager
def replaced_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty folder beside `path`; on success it takes the place of what is there.

    On an exception, Ctrl-C included, it is removed and `path` is as it was.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(**beside(target)))
    try:
        temporary.chmod(0o755)
        yield temporary
        if target.exists():
            retired = Path(tempfile.mkdtemp(**beside(target)))
            os.replace(target, retired / target.name)
            os.replace(temporary, target)
            shutil.rmtree(retired)
        else:
            os.replace(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def beside(target: Path) -> dict[str, Any]:
    """Return the arguments for `tempfile` that name a temporary file which becomes `target`.

    The core names its temporary files in the same form.
    """
    return {"dir": target.parent, "prefix": f".{target.name}.{os.getpid()}-", "suffix": ".tmp"}


def told_beside(output: str | os.PathLike[str], name: str) -> Path:
    """Return the path of a file about an output: `out.NAME`, whether `out` is a file or a folder.

    A folder may be named as `out/` or `.` too. The file is beside it, never in it.
    """
    whole = Path(output)
    if whole.name in ("", ".."):
        whole = Path(os.path.abspath(whole))
    return Path(f"{whole}.{name}")


def is_temporary(path: Path) -> bool:
    """Return whether a path has the form of a temporary name of this project."""
    return _TEMPORARY.fullmatch(path.name) is not None


def remove_left(folder: Path, inside: Iterable[str] = ()) -> None:
    """Remove the temporary files that killed processes left in a folder.

    The caller must hold the lock of the folder: no other process then writes there, so that all
    temporary files in it are left over.

    Args:
        folder: the folder that is locked.
        inside: names of folders in it that are searched too, with all their subfolders.
    """
    for path in sorted(folder.iterdir()):
        found = _TEMPORARY.fullmatch(path.name)
        is_folder = path.is_dir() and not path.is_symlink()
        if found is None:
            if is_folder and path.name in inside:
                remove_left(path, [inner.name for inner in path.iterdir()])
        elif is_folder:
            # A process was to replace this folder, and ended between the two renamings.
            whole, target = path / found["name"], folder / found["name"]
            if whole.exists() and not target.exists():
                os.replace(whole, target)
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove a file or a folder.

    A folder is renamed first, so that nobody finds a part of it under its name.
    """
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    retired = Path(tempfile.mkdtemp(**beside(path)))
    # The folder replaces `retired`: if it lay inside, `remove_left` would put it back.
    os.replace(path, retired)
    shutil.rmtree(retired)


def check_regular(path: str | os.PathLike[str]) -> Path:
    """Return the path of a regular file or a folder. Reading a pipe could wait forever.

    Raises:
        BadInputError: the path leads to neither a file nor a folder.
        FileNotFoundError: nothing has this path.
    """
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise BadInputError(
            f"{os.fspath(path)}: is no regular file; expected one, because what is read is hashed "
            "too: write the stream to a file first"
        )
    return Path(path)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as indented JSON.

    Raises:
        ValueError: the value contains NaN or infinity, which JSON does not have.
    """
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def write_jsonl(path: str | os.PathLike[str], rows: list[Any]) -> None:
    """Write one JSON value in each line.

    Raises:
        ValueError: a value contains NaN or infinity, which JSON does not have.
    """
    lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    write_text(path, "".join(lines))


def write_lines(path: str | os.PathLike[str], lines: Iterable[str]) -> None:
    """Write lines as UTF-8, whole or not at all, without all of them in memory."""
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


def written(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of a file as text. Bytes that are not UTF-8 become escapes."""
    return os.fsencode(Path(path).resolve()).decode("utf-8", "backslashreplace")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file that this project wrote.

    Raises:
        BadInputError: the file is not JSON any more, or does not fit the schema of its name.
    """
    value = _parsed(path, Path(path).read_bytes())
    check_schema(path, value)
    return value


def read_jsonl(path: str | os.PathLike[str]) -> list[Any]:
    """Read a JSONL file that this project wrote.

    Raises:
        BadInputError: as in `read_json`.
    """
    lines = Path(path).read_bytes().split(b"\n")
    rows = [_parsed(path, line, number) for number, line in enumerate(lines, 1) if line]
    check_schema(path, rows)
    return rows


def _parsed(path: str | os.PathLike[str], data: bytes, line: int = 1) -> Any:
    """Parse JSON whose first byte is at the start of this line of the file."""
    try:
        return json.loads(data.decode("utf-8"))
    except json.JSONDecodeError as error:
        place = f"line {line + error.lineno - 1}, column {error.colno}"
        raise damaged(path, f"no JSON at {place}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise damaged(path, f"no UTF-8 at byte {error.start} from line {line} on") from error
    except RecursionError as error:
        raise damaged(path, "it is nested too deep") from error


def sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file as hexadecimal text. The file is read in parts of 256 KiB."""
    digest = hashlib.sha256()
    # One small buffer stays in the processor's cache. New ones would cost more than the hashing.
    buffer = memoryview(bytearray(1 << 18))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
    return digest.hexdigest()


class Hashes(Mapping[str, str]):
    """The SHA-256 of files by name, computed in the background.

    On one core, hashing a corpus takes half as long as parsing it. The hashes are needed only at
    the end; reading one waits until it is computed.
    """

    def __init__(self, paths: Mapping[str, str | os.PathLike[str]]) -> None:
        pool = ThreadPoolExecutor(1)
        self._found = {name: pool.submit(sha256, path) for name, path in paths.items()}
        pool.shutdown(wait=False)

    def __getitem__(self, name: str) -> str:
        return self._found[name].result()

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def _umask() -> int:
    # The only portable way to read it is to set it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _sync(path: Path) -> None:
    """Flush a file to disk, or the list of names in a folder where the system supports that."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows does not open folders
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
