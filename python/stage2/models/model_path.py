"""Where a model is that a command was given: in a run folder, the model that the run ended with."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from stage2.utils import files
from stage2.utils.errors import BadInputError

logger = logging.getLogger(__name__)

_CONFIG = "config.json"
# Of a run folder the model trained; of a sweep's the winner's; else the one that it began with.
_PLACES = (files.SHIPPED_MODEL, f"{files.TEST}/{files.SHIPPED_MODEL}", files.STAGE1_MODEL)


def model_in(path: str | os.PathLike[str]) -> Path:
    """The path itself, or where it is a run folder, its trained model or else its stage 1.

    Raises:
        BadInputError: it is a run folder that holds no model.
    """
    root = Path(path)
    if (root / _CONFIG).exists() or not (root / files.RUN).is_file():
        return root
    for place in _PLACES:
        if (root / place / _CONFIG).is_file():
            return root / place
    raise BadInputError(
        f"{root}: a run folder without a model in it; expected one that stage2 run, init, train or "
        "merge wrote"
    )


def found_model(path: str) -> str:
    """As `model_in`, and say which model it is where it is not the path itself."""
    found = model_in(path)
    if found == Path(path):
        return path
    logger.info("%s is a run folder: taking its model %s", path, found)
    return os.fspath(found)
