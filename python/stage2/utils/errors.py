"""The kinds of errors, and the exit code of each."""

from __future__ import annotations

import errno
import unicodedata

_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class BadInputError(ValueError):
    """Bad usage or bad input. The message says what, where, what was expected and what to do."""

    exit_code = 2


class RunFailedError(RuntimeError):
    """The work itself failed. The message says where, and what is kept."""

    exit_code = 1


class RegressedError(RuntimeError):
    """The verdict is worse under `--fail-if-regressed`. All files have been written."""

    exit_code = 3


def one_line(text: str) -> str:
    r"""Escape what could break a line or reorder the text around it.

    File names and ids come from outside. Control characters, line breaks and marks of the reading
    direction in them become escapes, such as `\n` and `\u202e`.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in _UNPRINTABLE
        else char
        for char in text
    )


# Control, format (such as reading direction) and surrogate characters; line and paragraph ends.
_UNPRINTABLE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))


def message_of(error: Exception) -> str:
    """Return the message of an error for people, in one line."""
    if isinstance(error, FileNotFoundError) and error.filename:
        text = f"{_name(error)}: no such file"
    elif isinstance(error, IsADirectoryError) and error.filename:
        text = f"{_name(error)}: is a folder; expected a file"
    elif isinstance(error, OSError) and error.errno in _FULL:
        where = f"{_name(error)}: cannot be written, " if error.filename else ""
        text = f"{where}the disk is full; free some of it, and give the same command again"
    elif isinstance(error, OSError) and error.filename and error.strerror:
        text = f"{_name(error)}: {error.strerror}"
    elif isinstance(error, LookupError) or not str(error):
        # The message of a LookupError is only the key.
        text = f"{type(error).__name__}: {error}".removesuffix(": ")
    else:
        text = str(error)
    return one_line(text)


def _name(error: OSError) -> str:
    name = error.filename
    return name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else str(name)


def exit_code_of(error: Exception) -> int:
    """Return the exit code for an error: 2 if the user can correct the call or the input, else 1.

    An error of this module has its own exit code.
    """
    if isinstance(error, (BadInputError, RunFailedError, RegressedError)):
        return error.exit_code
    usage = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)
    cannot_be = (errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP)
    if isinstance(error, usage) or (isinstance(error, OSError) and error.errno in cannot_be):
        return BadInputError.exit_code
    # The core refuses bad input with an InputError. Any other ValueError is a bug.
    from stage2._core import InputError

    return BadInputError.exit_code if isinstance(error, InputError) else RunFailedError.exit_code
