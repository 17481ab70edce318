"""Load the model at a path: our own folder, a run folder that has one, or a reference's `.pt`."""

from __future__ import annotations

import os

from stage2.models.gbert.model import ProbabilisticGBERTV4
from stage2.models.model_path import model_in
from stage2.utils.errors import BadInputError


def load_model(
    path: str | os.PathLike[str],
    backbone: str | os.PathLike[str] | None = None,
    max_length: int | None = None,
) -> ProbabilisticGBERTV4:
    """Load a folder of our own format, a run folder's model, or a reference `.pt` over `backbone`.

    `max_length` is as `from_reference` has it; a folder knows its own.
    """
    path = model_in(path)
    if path.is_dir():
        return ProbabilisticGBERTV4.from_pretrained(path)
    if not path.exists():
        raise BadInputError(
            f"{path}: no such model; expected a folder that stage2 init wrote, or a .pt file"
        )
    if backbone is None:
        raise BadInputError(
            f"{path}: a .pt file holds weights only; name its encoder with --backbone DIR|ID"
        )
    return ProbabilisticGBERTV4.from_reference(path, backbone, max_length)
