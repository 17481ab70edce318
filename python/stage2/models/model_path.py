"""Paths of models. The path of a run folder stands for the model with which the run ended."""

from __future__ import annotations

import functools
import logging
import os
from pathlib import Path

from stage2.utils import files
from stage2.utils.errors import BadInputError

logger = logging.getLogger(__name__)

# A folder with one of these files is a model.
_MARKS = ("config.json", "modules.json")
# The model in a run folder: the trained one, that of the winner of a sweep, or else the one with
# which the run began.
_PLACES = (files.SHIPPED_MODEL, f"{files.TEST}/{files.SHIPPED_MODEL}", files.STAGE1_MODEL)


def model_in(path: str | os.PathLike[str]) -> Path:
    """Return the path of the model that a path or a hub id names.

    For a run folder this is its trained model, or else its stage 1. For a hub id it is the folder
    of the files, which are downloaded once. For any other path it is the path itself. A hub id is
    `hub:org/name`, or `org/name` if there is no folder `org` here.

    Raises:
        BadInputError: it is a run folder without a model, or the hub does not provide the model.
    """
    root = Path(path)
    if not os.path.lexists(root) and "/" in os.fspath(path):
        found = _from_hub(os.fspath(path))
        if found is not None:
            return found
    if any((root / mark).exists() for mark in _MARKS) or not (root / files.RUN).is_file():
        return root
    for place in _PLACES:
        if any((root / place / mark).is_file() for mark in _MARKS):
            return root / place
    raise BadInputError(
        f"{root}: a run folder without a model in it; expected one that stage2 run, init, train or "
        "merge wrote"
    )


@functools.cache
def _from_hub(name: str) -> Path | None:
    """Return the folder of a model from the hub, or None if the name is that of a path."""
    from stage2.models import hub  # it imports torch, which not all commands need

    if not name.startswith(hub.PREFIX) and hub.looks_like_path(name):
        return None
    return hub.folder_of(name, "model")


def found_model(path: str) -> str:
    """Return the path of the model in a run folder, and log it; return other names unchanged."""
    found = model_in(path)
    if found == Path(path) or not Path(path).exists():
        return path
    logger.info("%s is a run folder: taking its model %s", path, found)
    return os.fspath(found)
