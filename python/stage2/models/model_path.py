"""Where a model is that a command was given: in a run folder, the model that the run ended with."""

from __future__ import annotations

import functools
import logging
import os
from pathlib import Path

from stage2.utils import files
from stage2.utils.errors import BadInputError

logger = logging.getLogger(__name__)

# A folder with one of them is a model.
_MARKS = ("config.json", "modules.json")
# Of a run folder the model trained; of a sweep's the winner's; else the one that it began with.
_PLACES = (files.SHIPPED_MODEL, f"{files.TEST}/{files.SHIPPED_MODEL}", files.STAGE1_MODEL)


def model_in(path: str | os.PathLike[str]) -> Path:
    """The path itself; of a run folder its trained model or else its stage 1; of an id its files.

    An id is `hub:org/name`, or `org/name` where no folder `org` is here. It is brought from the hub
    once.

    Raises:
        BadInputError: it is a run folder that holds no model, or the hub does not give it.
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
    """The folder of a model of the hub; None where the name is that of a path."""
    from stage2.models import hub  # not at the top: commands without a model start without torch

    if not name.startswith(hub.PREFIX) and hub.looks_like_path(name):
        return None
    return hub.folder_of(name, "model")


def found_model(path: str) -> str:
    """As `model_in`, and say which model it is where it is not the path itself."""
    found = model_in(path)
    if found == Path(path) or not Path(path).exists():
        return path
    logger.info("%s is a run folder: taking its model %s", path, found)
    return os.fspath(found)
