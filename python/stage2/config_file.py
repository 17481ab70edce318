"""Settings in a TOML file, such as `stage2.toml` or a run's `settings.toml`."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass
from typing import Any

import tomli_w

from stage2.config import SETTINGS, Settings
from stage2.utils.errors import BadInputError
from stage2.utils.files import check_regular
from stage2.utils.setting import check

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class Checked:
    """The content of a settings file.

    Attributes:
        settings: the settings that are right, by name.
        problems: what is wrong, each as a message that begins with file and line.
    """

    settings: dict[str, Any]
    problems: list[str]


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the settings in a TOML file. Keys may be written with `-` or `_`.

    Raises:
        BadInputError: the file is not a regular file or not TOML; a key is not a setting or repeats
            one; or a value has the wrong type or is out of range.
    """
    checked = check_toml(path)
    if checked.problems:
        raise BadInputError(checked.problems[0])
    return checked.settings


def check_toml(path: str | os.PathLike[str]) -> Checked:
    """Read the settings in a TOML file, and say all that is wrong with it.

    Raises:
        BadInputError: the file is not a regular file.
        FileNotFoundError: there is no such file.
    """
    try:
        text = check_regular(path).read_text(encoding="utf-8-sig")
        values = tomllib.loads(text)
    except UnicodeDecodeError as error:
        return Checked({}, [f"{path}: not TOML: {error}"])
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+), column (\d+)", str(error))
        where = "" if place is None else f":{place[1]}:{place[2]}"
        return Checked({}, [f"{path}{where}: not TOML: {error}"])
    settings: dict[str, Any] = {}
    spelt: dict[str, str] = {}
    problems = []
    for key, value in values.items():
        name, place_of = key.replace("-", "_"), f"{path}{_line_of(key, text)}"
        if name not in SETTINGS:
            problems.append(f"{place_of}: {key!r} is no setting; {nearest(name, SETTINGS)}")
            continue
        if name in spelt:
            problems.append(
                f"{place_of}: {spelt[name]!r} and {key!r} are one setting, given twice; expected "
                "it once"
            )
            continue
        spelt[name] = key
        try:
            check(SETTINGS[name], value)
            # A group may know more of its values than their type and range.
            Settings(**{name: value})
        except BadInputError as error:
            problems.append(f"{place_of}: {error}")
        else:
            settings[name] = value
    return Checked(settings, problems)


def template(names: Iterable[str], defaults: Mapping[str, Any], title: str) -> str:
    """Return a settings file of comments: each setting with its help and its default.

    As long as no `#` before a setting is taken away, the file sets nothing.

    Args:
        names: the settings.
        defaults: the defaults of the command, where they differ from those of `Settings`.
        title: the first line.
    """
    lines = [f"# {title}", "# Take the # away from a line to set it. A flag overrides the file."]
    for name in names:
        item = SETTINGS[name]
        value = defaults.get(name, item.default)
        choices = item.metadata["choices"]
        which = f" One of: {', '.join(choices)}." if choices else ""
        lines += ["", f"# {item.metadata['help']}{which}"]
        if value is None:
            lines.append(f"#{toml_line(name, _example(item))}  # not set by default")
        else:
            lines.append(f"#{toml_line(name, value)}")
    return "\n".join(lines) + "\n"


def toml_line(name: str, value: Any) -> str:
    """Return a setting with its value as a line of TOML."""
    return tomli_w.dumps({name: value}).rstrip("\n")


def _example(item: Field[Any]) -> Any:
    """Return a value of a setting's type, for a setting that is not set by default."""
    meta = item.metadata
    if meta["choices"]:
        return meta["choices"][0]
    if meta["kind"] is str:
        return meta["metavar"]
    return meta["kind"](meta["low"] or 0)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint for an unknown name: the most similar known names, or else all names."""
    names = list(known)
    # Neither case nor the difference between `-` and `_` counts.
    alike = difflib.get_close_matches(name.replace("-", "_").lower(), names, 3)
    if alike:
        return f"did you mean {' or '.join(alike)}?"
    return f"expected some of {', '.join(names)}"


def _line_of(key: str, text: str) -> str:
    """Return the line of a top-level key as `:LINE`, or nothing if the line is not found."""
    written = re.compile(rf"""\s*(["']?){re.escape(key)}\1\s*[=.]""")
    for number, line in enumerate(text.split("\n"), 1):
        if written.match(line):
            return f":{number}"
    return ""
