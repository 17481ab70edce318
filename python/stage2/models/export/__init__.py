"""The export of a model to the format of another tool.

An export is a module in this package with a function `write`, and a row in `variants.EXPORTS`. That
tool runs the written model, which gets its final path only if it gives the same vectors, or vectors
within the bounds of its row.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from stage2.encoding.encoder import Encoder
from stage2.models.deviation import Deviation, HeldOut, check_bounds, measure
from stage2.models.fidelity import TOLERANCE, check_fidelity, reader_of
from stage2.utils import files
from stage2.utils.errors import BadInputError
from stage2.utils.files import replaced_folder
from stage2.variants import EXPORTS


def check_target(folder: str | os.PathLike[str]) -> None:
    """Refuse a folder that exists already.

    Raises:
        BadInputError: it does.
    """
    if os.path.lexists(folder):
        raise BadInputError(
            f"{folder}: is there already, and an export replaces nothing; name a new --output-dir"
        )


def check_packages(to: str) -> None:
    """Refuse a format whose packages are not installed.

    Raises:
        BadInputError: one is missing.
    """
    row = EXPORTS[to]
    if missing := [name for name in row.packages if find_spec(name) is None]:
        raise BadInputError(
            f"--to {to} needs {' and '.join(missing)}, which is not installed; pip install "
            f"'stage2[{row.extra}]'"
        )


def export(
    model: Encoder,
    to: str,
    folder: str | os.PathLike[str],
    held_out: HeldOut | None = None,
    card: Callable[[Deviation], str] | None = None,
) -> Deviation | None:
    """Write a model in the format of another tool, whole or not at all.

    Args:
        model: the model, on the CPU.
        to: a name in `variants.EXPORTS`.
        folder: the folder that is made.
        held_out: the questions by which a format that loses something is measured; without them it
            is held to the bound of its vectors alone.
        card: a function that returns the text of the folder's README.md from what was measured.

    Returns:
        What was measured; None for a format that gives the same vectors.

    Raises:
        BadInputError: the folder exists already, or the model cannot have this format.
        RunFailedError: the written model does not give the vectors of the model.
    """
    check_target(folder)
    check_packages(to)
    module = import_module(f"{__name__}.{to.replace('-', '_')}")
    bounds = EXPORTS[to].bounds
    with replaced_folder(folder) as temporary:
        read = module.write(model, Path(temporary))
        if bounds is None or held_out is None:
            tolerance = TOLERANCE if bounds is None else bounds.difference
            check_fidelity(model, read, os.fspath(folder), tolerance=tolerance)
            return None
        found = measure(reader_of(model), read, held_out, model.distance)
        check_bounds(found, bounds, os.fspath(folder))
        if card is not None:
            (Path(temporary) / files.CARD).write_text(card(found), "utf-8", newline="\n")
    return found
