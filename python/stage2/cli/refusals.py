"""The errors that say why a command may not work in a folder."""

from __future__ import annotations

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


def another_run(folder: Path, what: str) -> BadInputError:
    """Return the error that the folder holds another run's files; `what` says how this shows."""
    return BadInputError(
        f"--output-dir {folder} holds another run's files ({what}). "
        "Give another --output-dir, or --overwrite to replace them"
    )
