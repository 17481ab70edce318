"""Settings in a TOML file, such as `stage2.toml` or a run's `settings.toml`."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Iterable
from typing import Any

from stage2.config import SETTINGS
from stage2.utils.errors import BadInputError
from stage2.utils.files import check_regular
from stage2.utils.setting import check

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the settings in a TOML file. Keys may be written with `-` or `_`.

    Raises:
        BadInputError: the file is not a regular file or not TOML; a key is not a setting or repeats
            one; or a value has the wrong type or is out of range.
    """
    try:
        text = check_regular(path).read_text(encoding="utf-8-sig")
        values = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInputError(f"{path}: not TOML: {error}") from error
    settings: dict[str, Any] = {}
    spelt: dict[str, str] = {}
    for key, value in values.items():
        name, place = key.replace("-", "_"), f"{path}{_line_of(key, text)}"
        if name not in SETTINGS:
            raise BadInputError(f"{place}: {key!r} is no setting; {nearest(name, SETTINGS)}")
        if name in spelt:
            raise BadInputError(
                f"{place}: {spelt[name]!r} and {key!r} are one setting, given twice; expected it "
                "once"
            )
        spelt[name] = key
        try:
            check(SETTINGS[name], value)
        except BadInputError as error:
            raise BadInputError(f"{place}: {error}") from error
        settings[name] = value
    return settings


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
