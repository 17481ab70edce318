"""The errors that say why a command may not work in a folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from stage2.cli import run_files
from stage2.utils import files
from stage2.utils.errors import BadInputError


def damaged(folder: Path, place: str) -> BadInputError:
    """Return the error that a file of the folder is not as stage2 wrote it."""
    return BadInputError(
        f"{folder / place}: damaged, changed or gone since stage2 wrote it: it is not what "
        f"{files.RUN} has the hash of. Make it anew with --overwrite, or give another "
        "--output-dir"
    )


def held(folder: Path) -> BadInputError:
    """Return the error that another command works in the folder."""
    who = "another process"
    with suppress(BadInputError, OSError):
        working = run_files.read_record(folder).get("working")
        if working:
            who = "`{command}` (process {process} on {machine}, since {since})"
            who = who.format_map(working)
    return BadInputError(
        f"--output-dir {folder}: another command works in it: {who}. Wait for it to end, "
        "or give another --output-dir"
    )


def impossible(folder: Path, error: OSError) -> BadInputError:
    """Return the error that no folder can be made at this path."""
    reason = error.strerror or type(error).__name__
    return BadInputError(
        f"--output-dir {folder}: no folder can be made there ({reason}). Give another"
    )


def check_possible(folder: Path) -> None:
    """Refuse a folder that cannot be made, as far as that shows without making it."""
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not there.is_dir():
        raise impossible(folder, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
    if not os.access(there, os.W_OK | os.X_OK):
        raise impossible(folder, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def another_run(folder: Path, what: str) -> BadInputError:
    """Return the error that the folder holds another run's files; `what` says how this shows."""
    return BadInputError(
        f"--output-dir {folder} holds another run's files ({what}). "
        "Give another --output-dir, or --overwrite to replace them"
    )


def would_delete(path: Path, overwrites: bool) -> BadInputError:
    """Return the error that the command would replace a file that it reads."""
    how = "--overwrite would delete it" if overwrites else "the command would replace it"
    return BadInputError(f"{path}: {how}, and it is read. Give another --output-dir, or a copy")


def not_ours(folder: Path, found: Sequence[str], recorded: bool) -> BadInputError:
    """Return the error that the command would replace files that stage2 has not written.

    Args:
        folder: the folder.
        found: the paths of these files within the folder.
        recorded: whether the folder has a record.
    """
    shown = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
    if not recorded:
        return BadInputError(
            f"--output-dir {folder} holds files of an unknown run ({shown}): it has no "
            f"{files.RUN}, so that nothing says that stage2 wrote them. Give another "
            "--output-dir, or move them away"
        )
    return BadInputError(
        f"--output-dir {folder} holds files that its {files.RUN} does not vouch for, since "
        f"stage2 did not write them or they were changed since ({shown}): they would be "
        "replaced. Give another --output-dir, or move them away"
    )
