"""Files that appear whole or not at all, and the names of those a run writes."""

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
from typing import Any

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
SWEEP = "sweep.jsonl"
TRIALS = "trials"
SEARCH_QA = "search_questions.jsonl"
SEARCH_SPLIT = "search_split.json"
TEST_QA = "test_questions.jsonl"
TEST = "test"
TRAINING_LOG = "training_log.jsonl"
CHECKPOINTS = "checkpoints"
BEST_CHECKPOINT = "best_model_stage2.pt"
TRAINING_STATE = "training_state.pt"
TENSORBOARD = "tensorboard"
EVALUATION_AFTER = "evaluation_after_training.json"
COMPARISON = "comparison.json"
PER_QUESTION = "per_question.jsonl"
MERGE = "merge.json"
SPLIT = "split.json"
FOLDS = "folds"
CHOSEN = "chosen.json"
CHOSEN_WEIGHTS = "chosen.pt"
REPORT = "report.md"
PAGE = "report.html"
REPORT_JSON = "report.json"
CHARTS = ("loss_curve.png", "loss_curve.svg")
SAMPLE = "sample"
STAGE1_MODEL = "stage1"
SHIPPED_MODEL = "model"


def rejected_by(stage: str) -> str:
    """Rows that a stage skipped in a folder whose own rejected rows are of other files."""
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
        # mkstemp makes files that only their owner reads; a result is as readable as any other.
        temporary.chmod(0o666 & ~_umask())
        _sync(temporary)
        os.replace(temporary, target)
    except BaseException as error:
        with suppress(FileNotFoundError):
            temporary.unlink()
        if isinstance(error, OSError) and error.errno and not error.filename:
            # A write that fails does not say of which file.
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
    """How `tempfile` is to name what becomes `target`: the core's names have the same form."""
    return {"dir": target.parent, "prefix": f".{target.name}.{os.getpid()}-", "suffix": ".tmp"}


def is_temporary(path: Path) -> bool:
    """Tell whether a file has the form of our temporary names."""
    return _TEMPORARY.fullmatch(path.name) is not None


def remove_left(folder: Path, inside: Iterable[str] = ()) -> None:
    """Remove what processes that were killed were writing to a folder.

    Only for a folder that is locked: whoever writes there holds the lock, so that whatever has the
    form of our temporary names is nobody's.

    Args:
        folder: that is locked.
        inside: names of folders in it that are looked through too, with all that they hold.
    """
    for path in sorted(folder.iterdir()):
        found = _TEMPORARY.fullmatch(path.name)
        is_folder = path.is_dir() and not path.is_symlink()
        if found is None:
            if is_folder and path.name in inside:
                remove_left(path, [inner.name for inner in path.iterdir()])
        elif is_folder:
            # A folder that was to be replaced, by a process that ended between the two renamings.
            whole, target = path / found["name"], folder / found["name"]
            if whole.exists() and not target.exists():
                os.replace(whole, target)
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove a file, or a folder: under another name first, so that no part of it is met again."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    retired = Path(tempfile.mkdtemp(**beside(path)))
    # Not into it: what is found there is put back by `remove_left`.
    os.replace(path, retired)
    shutil.rmtree(retired)


def check_regular(path: str | os.PathLike[str]) -> Path:
    """Give the path; what is no regular file, such as a pipe, would be waited for.

    Raises:
        BadInputError: it is there, and is neither a file nor a folder.
        FileNotFoundError: it is not there.
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
    """Write `value` as indented JSON; NaN and infinity, which JSON lacks, are a ValueError."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def write_jsonl(path: str | os.PathLike[str], rows: list[Any]) -> None:
    """Write one JSON value a line."""
    lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    write_text(path, "".join(lines))


def written(path: str | os.PathLike[str]) -> str:
    """Where a file is, as text can hold it: names on disk need not be UTF-8."""
    return os.fsencode(Path(path).resolve()).decode("utf-8", "backslashreplace")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file that this project wrote.

    Raises:
        BadInputError: it is no JSON any more, or lacks what such a file has.
    """
    value = _parsed(path, Path(path).read_bytes())
    check_schema(path, value)
    return value


def read_jsonl(path: str | os.PathLike[str]) -> list[Any]:
    """Read a JSONL file that this project wrote.

    Raises:
        BadInputError: as `read_json` raises it.
    """
    lines = Path(path).read_bytes().split(b"\n")
    rows = [_parsed(path, line, number) for number, line in enumerate(lines, 1) if line]
    check_schema(path, rows)
    return rows


def _parsed(path: str | os.PathLike[str], data: bytes, line: int = 1) -> Any:
    """JSON of bytes that begin at a line of a file."""
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
    """Hash a file's bytes, a mebibyte at a time."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class Hashes(Mapping[str, str]):
    """SHA-256 of files by name, taken in the background.

    Hashing a corpus takes as long as half of parsing it, on one core, and nobody needs the answer
    before the end: whoever asks for one waits.
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
    """Flush a file, or a folder's list of names where the system can, to disk."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
