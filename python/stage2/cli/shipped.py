"""The writing of the shipped model, and the check of what was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from stage2.cli.run_folder import RunFolder
from stage2.cli.stage1 import load_options
from stage2.config import Settings
from stage2.encoding.encoder import Encoder
from stage2.models.auto import family_of
from stage2.models.fidelity import TOLERANCE, check_fidelity
from stage2.utils import files
from stage2.utils.errors import RunFailedError

# The number of questions that are embedded with the written model.
_TEXTS = 64
# The change of a vector of length about 1 by half precision, in encoders of a dozen layers.
_OF_HALF = {torch.float16: 2e-3, torch.bfloat16: 2e-2}


def ship(
    settings: Settings,
    run: RunFolder,
    model: Encoder,
    untouched: Mapping[str, Tensor] | None,
    questions: Sequence[str],
) -> None:
    """Write the model, and check that the written model is the one that was measured.

    Args:
        settings: the settings of the command.
        run: the folder of the run.
        model: the model to ship.
        untouched: the weights before training, if other weights are shipped; else None.
        questions: the questions whose vectors are compared.

    Raises:
        RunFailedError: the written model gives other vectors, or has the weights from before
            training.
    """
    folder = run / files.SHIPPED_MODEL
    # A model that is read back has its encoders already.
    options = replace(load_options(settings), train="both")
    for path, one in write_model(run, model).items():
        read = family_of(path).read_back(path, options)
        tolerance = _OF_HALF.get(one.saved_dtype, TOLERANCE)
        check_fidelity(one, read, path, questions[:_TEXTS], tolerance)
    if untouched is not None and _same(model, untouched):
        raise RunFailedError(
            f"{folder}: has the weights from before training, though training changed them: in "
            f"{str(model.saved_dtype).removeprefix('torch.')}, the type that they came in, the "
            "change is rounded away. Give --save-dtype fp32, or a higher --learning-rate"
        )


def write_model(run: RunFolder, model: Encoder) -> dict[Path, Encoder]:
    """Write the model, and the encoder of each role beside it if it has two.

    Returns:
        The models that were written, by their folders.
    """
    written = {run / files.SHIPPED_MODEL: model}
    written |= {run / files.MODEL_OF_ROLE[role]: one for role, one in model.parts.items()}
    for path, one in written.items():
        one.save(path)
    return written


def _same(model: Encoder, untouched: Mapping[str, Tensor]) -> bool:
    """Return whether the weights are as before training, in the dtype that they are saved in."""
    dtype = model.saved_dtype
    return all(
        torch.equal(weight.cpu().to(dtype), untouched[name].to(dtype))
        for name, weight in model.state_dict().items()
        if weight.is_floating_point()
    )
