"""What can go wrong, and the exit code that each kind ends the program with."""

from __future__ import annotations

import errno


class BadInputError(ValueError):
    """Bad usage or bad input: the message says what, where, what was expected and what to do."""

    exit_code = 2


class RunFailedError(RuntimeError):
    """The work itself failed: the message says where, and what is kept."""

    exit_code = 1


class RegressedError(RuntimeError):
    """`--fail-if-regressed`, and the verdict is worse; everything is written by then."""

    exit_code = 3


def message_of(error: Exception) -> str:
    """What to tell of an error, in one line."""
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"{error.filename}: no such file"
    if isinstance(error, IsADirectoryError) and error.filename:
        return f"{error.filename}: is a folder; expected a file"
    return str(error) or type(error).__name__


def exit_code_of(error: Exception) -> int:
    """2 where the user can mend it: bad values, files that are not there."""
    if isinstance(error, (BadInputError, RunFailedError, RegressedError)):
        return error.exit_code
    usage = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)
    cannot_be = (errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP)
    if isinstance(error, usage) or (isinstance(error, OSError) and error.errno in cannot_be):
        return BadInputError.exit_code
    # What the core refuses is a ValueError of its own; any other is a fault of ours.
    from stage2._core import InputError

    return BadInputError.exit_code if isinstance(error, InputError) else RunFailedError.exit_code
