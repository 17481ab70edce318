"""The export of a model to the format of another tool.

An export is a module in this package with a function `write`, and a row in `variants.EXPORTS`. That
tool reads the written model back, which must give the same vectors before it gets its final path.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

from stage2.encoding.encoder import Encoder
from stage2.models.fidelity import check_fidelity
from stage2.utils.errors import BadInputError
from stage2.utils.files import replaced_folder


def check_target(folder: str | os.PathLike[str]) -> None:
    """Refuse a folder that exists already.

    Raises:
        BadInputError: it does.
    """
    if os.path.lexists(folder):
        raise BadInputError(
            f"{folder}: is there already, and an export replaces nothing; name a new --output-dir"
        )


def export(model: Encoder, to: str, folder: str | os.PathLike[str]) -> None:
    """Write a model in the format of another tool, whole or not at all.

    Args:
        model: the model, on the CPU.
        to: a name in `variants.EXPORTS`.
        folder: the folder that is made.

    Raises:
        BadInputError: the folder exists already, or the model cannot have this format.
        RunFailedError: the written model does not give the vectors of the model.
    """
    check_target(folder)
    module = import_module(f"{__name__}.{to.replace('-', '_')}")
    with replaced_folder(folder) as temporary:
        read = module.write(model, Path(temporary))
        check_fidelity(model, read, os.fspath(folder))
