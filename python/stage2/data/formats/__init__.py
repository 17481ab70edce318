"""Formats of data sets that one path names.

A format is a module here, with a function `read`, and a row in `variants.FORMATS`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from stage2.config import InputConfig
from stage2.data.contents import Contents
from stage2.utils.errors import BadInputError
from stage2.variants import FORMATS, format_of


def read(settings: InputConfig, memory_map: bool) -> Contents:
    """Read the data set of --data in its format, which is told by what is there or by --format.

    Args:
        settings: data, format, title, entities, on_error, max_decompressed.
        memory_map: as `Dataset.load` has it.

    Raises:
        BadInputError: it is in no format that is known.
        InputError: what its files hold is wrong.
    """
    if settings.data is None:
        raise ValueError("there is no --data to read")
    name = format_of(Path(settings.data), settings.format)
    if name is None:
        known = "; or ".join(kind.text for kind in FORMATS.values())
        raise BadInputError(
            f"{settings.data}: a data set of no format that is known; expected {known}. "
            f"--format {' or '.join(FORMATS)} says what is missing"
        )
    contents: Contents = import_module(f"{__name__}.{name}").read(settings, memory_map)
    return contents
