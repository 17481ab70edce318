"""Formats of data sets that one path names.

A format is a module here and a row in `variants.FORMATS`. The module has a function `tables`, which
reads all that a file or a folder holds; a function `write`, if the row says what is written; and a
function `read`, if the core reads the format by itself.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stage2.config import InputConfig
from stage2.data.contents import Contents
from stage2.utils.errors import BadInputError
from stage2.utils.first_members import first_members
from stage2.variants import COLUMNS, FORMATS, format_of

if TYPE_CHECKING:
    from stage2.data.tables import Tables  # which imports numpy: `stage2 prepare` starts without


def module_of(name: str) -> Any:
    """Return the module of a format."""
    return import_module(f"{__name__}.{name.replace('-', '_')}")


def read(settings: InputConfig, memory_map: bool) -> Contents:
    """Read the data set of --data in its format, which is told by what is there or by --format.

    Args:
        settings: data, format, columns, title, entities, on_error, max_decompressed.
        memory_map: as `Dataset.load` has it.

    Raises:
        BadInputError: it is in no format that is known.
        InputError: what its files hold is wrong.
    """
    path, module = _found(settings)
    if hasattr(module, "read"):
        contents: Contents = module.read(settings, memory_map)
        return contents
    from stage2.data.table_contents import contents_of

    return contents_of(module.tables(settings, path), settings)


def read_tables(settings: InputConfig) -> Tables:
    """Read all that the data set of --data holds, to write it in another format.

    Raises:
        BadInputError: it is in no format that is known.
        InputError: what its files hold is wrong.
    """
    path, module = _found(settings)
    tables: Tables = module.tables(settings, path)
    return tables


def _found(settings: InputConfig) -> tuple[Path, Any]:
    """Return the path of --data and the module of its format."""
    if settings.data is None:
        raise ValueError("there is no --data to read")
    path = Path(settings.data)
    name = format_of(path, settings.format)
    if name is None:
        known = "; or ".join(kind.text for kind in FORMATS.values())
        raise BadInputError(
            f"{path}: a data set of no format that is known{_members(path)}; expected {known}. "
            f"--format {' or '.join(FORMATS)} says what is missing"
        )
    return path, module_of(name)


def _members(path: Path) -> str:
    """Say what the first object of a file has, and what it may have been meant to have."""
    if path.is_dir() or not (names := sorted(first_members(path))):
        return ""
    from stage2.data.faults import nearest

    meant = nearest(names, (*COLUMNS["question"], *COLUMNS["positive"]))
    return f", whose first row has {', '.join(map(repr, names))}{meant}"
