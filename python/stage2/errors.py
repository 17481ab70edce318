"""What can go wrong, and the exit code that each kind ends the program with."""

from __future__ import annotations


class BadInputError(ValueError):
    """Bad usage or bad input: the message says what, where, what was expected and what to do."""

    exit_code = 2


class RunFailedError(RuntimeError):
    """The work itself failed: the message says where, and what is kept."""

    exit_code = 1


class RegressedError(RuntimeError):
    """`--fail-if-regressed`, and the verdict is worse; everything is written by then."""

    exit_code = 3
