"""`stage2 config` writes, shows and checks settings files."""

from __future__ import annotations

import os
from pathlib import Path

from stage2.cli import console, dry_run
from stage2.cli.command import Resolved, SettingsCommand
from stage2.cli.dry_run import Plan, Workload
from stage2.config_file import check_toml, template, toml_line
from stage2.utils import files
from stage2.utils.errors import BadInputError, one_line


def init(command: SettingsCommand, path: str) -> None:
    """Write the settings of a command with their defaults, as comments, to a new file."""
    if os.path.lexists(path):
        raise BadInputError(f"{path}: is there already, and is not replaced; name a new file")
    text = template(command.names, command.defaults, f"Settings of stage2 {command.name}.")
    dry_run.plan(lambda: Plan({}, Workload(), path))
    files.write_text(path, text)
    console.keep_place(files.written(Path(path).parent), [files.written(path)])
    console.say(f"settings of stage2 {command.name}: {path}; give it with --config {path}")


def show(resolved: Resolved) -> None:
    """Print the settings that count in a call, as TOML, each with the place it comes from."""
    settings = resolved.settings
    shown = {name: getattr(settings, name) for name in resolved.origins if resolved.counts(name)}
    lines = [
        f"#{name} =  # {resolved.origins[name]}, not set"
        if value is None
        else f"{toml_line(name, value)}  # {resolved.origins[name]}"
        for name, value in shown.items()
    ]
    console.result(
        "\n".join(map(one_line, lines)),
        settings={
            name: {"value": value, "from": resolved.origins[name]} for name, value in shown.items()
        },
    )
    if left := len(resolved.origins) - len(shown):
        console.say(f"{left} more settings have no effect in this call")


def check(path: str) -> None:
    """Say all that is wrong with a settings file.

    Raises:
        BadInputError: something is.
    """
    checked = check_toml(path)
    if checked.problems:
        console.result("\n".join(checked.problems), problems=checked.problems)
        count = len(checked.problems)
        raise BadInputError(f"{path}: {count} {'line is' if count == 1 else 'lines are'} wrong")
    console.result(f"{path}: {len(checked.settings)} settings, all right", problems=[])
