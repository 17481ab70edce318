"""`stage2 completion` prints the script with which a shell completes commands, flags and values."""

from __future__ import annotations

from click.shell_completion import get_completion_class

from stage2.cli import console
from stage2.cli.command import program
from stage2.utils.errors import BadInputError

# With this variable click answers a shell that asks for completions, instead of running a command.
_VARIABLE = "_STAGE2_COMPLETE"


def completion(shell: str) -> None:
    """Print the script for a shell.

    Raises:
        BadInputError: click does not know the shell.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise BadInputError(f"{shell!r} is no shell that click completes for")
    script = kind(program, {}, "stage2", _VARIABLE).source()
    console.result(script, shell=shell, script=script)
